import { ProblemError } from '../../workers/base/problem.js'
import { fromSharedJson, sharedBytes, toSharedJson } from '../../workers/base/shared-json.js'
import type { BatchedHost } from '../../workers/hosts/record.js'
import { type DeliveredSet, deliveredHostId } from '../../workers/protocol/delivery.js'
import type { PrepareHostsReply } from '../../workers/protocol/hosts.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import { type Deferred, deferred } from '../base/deferred.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import { PackedHost } from '../generation/packed-host.js'
import { rehearsedContext } from '../generation/security-level.js'
import { limitsOf } from '../prepare/preparation.js'
import type { Worker } from '../threads/pool.js'
import { TaskError } from '../threads/task-error.js'

/** Hosts per task. Those that are delivered while a task runs share the next one. */
const BATCH = 32

interface Waiting {
  readonly name: string
  readonly set: DeliveredSet
  readonly host: Deferred<Host>
  /** After its batch has cost a thread, a host is prepared alone. */
  isAlone: boolean
}

/** Prepares delivered hosts in the worker, by the options and the trust in service: one task at a time. */
export class HostPreparer {
  readonly #worker: Pick<Worker, 'prepareHosts'>
  readonly #snapshot: () => Snapshot
  readonly #waiting: Waiting[] = []
  #isRunning = false
  #anchors: { readonly trust: PreparedTrust; readonly pem: Uint8Array | null } | null = null

  constructor(worker: Pick<Worker, 'prepareHosts'>, snapshot: () => Snapshot) {
    this.#worker = worker
    this.#snapshot = snapshot
  }

  /** @throws ProblemError if the host is refused, or no thread can prepare it. */
  prepare(name: string, set: DeliveredSet): Promise<Host> {
    const one = { name, set, host: deferred<Host>(), isAlone: false }
    this.#waiting.push(one)
    if (!this.#isRunning) void this.#run()
    return one.host.promise
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) {
      try {
        this.#take(batch, await this.#worker.prepareHosts(this.#task(batch)))
      } catch (error) {
        this.#lost(batch, error)
      }
    }
    this.#isRunning = false
  }

  #next(): Waiting[] {
    const alone = this.#waiting.findIndex(({ isAlone }) => isAlone)
    return alone >= 0 ? this.#waiting.splice(alone, 1) : this.#waiting.splice(0, BATCH)
  }

  #task(batch: readonly Waiting[]): Parameters<Worker['prepareHosts']>[0] {
    const { options, material } = this.#snapshot()
    return {
      batch: toSharedJson(batch.map(batched)),
      delivered: new Map(batch.map(({ name, set }) => [name, set])),
      authorities: this.#authorities(material.trust),
      passphrase: null,
      limits: limitsOf(options),
      context: rehearsedContext(options),
      policy: options.policy,
      force: false,
      fresh: true,
    }
  }

  #authorities(trust: PreparedTrust): Uint8Array | null {
    if (this.#anchors?.trust !== trust)
      this.#anchors = { trust, pem: trust.authorities && sharedBytes(trust.authorities.pem) }
    return this.#anchors.pem
  }

  #take(batch: readonly Waiting[], { pack, ends, dates, hosts, problems, rest }: PrepareHostsReply): void {
    const left = new Set(rest === null ? [] : fromSharedJson<BatchedHost[]>(rest).map(({ id }) => id))
    const prepared = new Map(
      hosts.map((host, i) => [host.id, new PackedHost(host, { pack, ends, dates }, i)]),
    )
    for (const one of batch) {
      const host = prepared.get(one.name)
      const problem = problems.find((found) => found.host === one.name)
      if (left.has(one.name)) this.#waiting.push(one)
      else if (host) one.host.resolve(host)
      else
        one.host.reject(new ProblemError(problem?.code ?? 'WORKER_CRASHED', problem?.message ?? UNANSWERED))
    }
  }

  /** The thread is lost, with its results: each host is tried alone, to find the one that causes it. */
  #lost(batch: readonly Waiting[], error: unknown): void {
    const isLast = batch.length === 1 || (error instanceof TaskError && error.code === 'CLOSED')
    const { code, message } =
      error instanceof TaskError ? error : { code: 'WORKER_CRASHED' as const, message: UNANSWERED }
    for (const one of batch) {
      one.isAlone = true
      if (isLast) one.host.reject(new ProblemError(code, message))
      else this.#waiting.push(one)
    }
  }
}

const UNANSWERED = 'the worker did not answer for this host'

function batched({ name, set: { source } }: Waiting): BatchedHost {
  const idOf = (part: string) => deliveredHostId(source, name, part)
  return { id: name, name, cert: idOf('cert'), key: idOf('key'), served: null }
}
