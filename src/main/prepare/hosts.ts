import { identityOfProblems, type Problem } from '../../workers/base/problem.js'
import { fromSharedJson, sharedBytes } from '../../workers/base/shared-json.js'
import type { BatchedHost } from '../../workers/hosts/record.js'
import { limitProblems, MAX_PROBLEMS } from '../../workers/problems/problem-limit.js'
import type { DeliveredHosts, DeliveredSet } from '../../workers/protocol/delivery.js'
import type {
  PrepareHostsReply,
  ScanHostsReply,
  ScanHostsTask,
  SealHostsReply,
} from '../../workers/protocol/hosts.js'
import type { HostFacts } from '../api/generation.js'
import type { HostCounts } from '../api/result.js'
import { wipeKeys } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import { PackedHost } from '../generation/packed-host.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { rehearsedContext } from '../generation/security-level.js'
import type { Worker } from '../threads/pool.js'
import { TaskError } from '../threads/task-error.js'
import { abandonedHosts, splitBatch } from './lost-batch.js'

/** The result of PREPARE for the hosts. */
export interface HostsReport {
  readonly hosts: readonly Host[]
  readonly removed: readonly string[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Identifies the refused hosts by the state of their files; empty if none was refused. */
  readonly failureDigest: string
  /** Certificate files of the hosts that changed. */
  readonly changed: readonly string[]
  /** The worker's record, to keep once these hosts are served. */
  readonly record: Uint8Array
  readonly rolledBack: Uint8Array | null
  /** Whether some hosts were skipped because they are still as they were when they were rolled back. */
  readonly isRolledBack: boolean
}

export function hostCounts(facts: HostFacts | null, report: HostsReport | null): HostCounts | null {
  const changed = report?.hosts.length ?? 0
  return facts && { served: facts.count, changed, removed: report?.removed.length ?? 0 }
}

/** The result of the scan when any host has changed. */
type ChangedHosts = Extract<ScanHostsReply, { kind: 'changed' }>

/** Batches that are prepared concurrently. The main thread processes one reply at a time. */
const AT_ONCE = 2

/**
 * PREPARE for hosts that have changed according to the scan: one task for each batch of a few dozen hosts, and one that seals
 * the record.
 */
export async function prepareHosts(
  worker: Worker,
  options: ResolvedOptions,
  { limits, record, rolledBack, force, fresh }: ScanHostsTask,
  scan: ChangedHosts,
  { authorities, delivered }: HostContext,
): Promise<HostsReport> {
  const { sources, policy } = options
  const results = new HostResults(scan.problems, [])
  const task = {
    authorities: authorities && sharedBytes(authorities),
    passphrase: sources.passphrase,
    limits,
    context: rehearsedContext(options),
    policy,
    force,
    fresh,
  }
  const batches = [...scan.batches]
  let lost = 0
  const work = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const own = delivered ? { delivered: deliveredIn(batch, delivered) } : {}
      const reply = await worker.prepareHosts({ ...task, batch, ...own }).catch((error: unknown) => {
        if (!(error instanceof TaskError) || error.code === 'CLOSED') throw error
        return error
      })
      if (reply instanceof TaskError) {
        // The thread and its results are lost. Smaller batches follow, until the host that causes it is alone.
        const parts = ++lost > MAX_LOST ? [] : splitBatch(batch, reply.place)
        if (parts.length > 0) batches.push(...parts)
        else results.giveUp(abandonedHosts(batch, reply))
        continue
      }
      results.take(reply)
      if (reply.rest) batches.push(reply.rest)
    }
  }
  const { removed } = scan
  let sealed: SealHostsReply
  try {
    // Wait until both have ended before keys are overwritten.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, work))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    sealed = await worker.sealHosts({ record, rolledBack, removed, pages: results.pages })
  } catch (error) {
    wipeKeys(results.hosts.map(({ pair }) => pair))
    throw error
  }
  return {
    hosts: results.hosts,
    removed,
    problems: results.problems.limited(),
    warnings: results.warnings.limited(),
    failureDigest: results.states.sort().join(),
    // At the first load, all files would be listed.
    changed: record === null ? [] : results.changed,
    isRolledBack: scan.isRolledBack,
    ...sealed,
  }
}

/** What the hosts of a pass have in common, apart from the options. */
export interface HostContext {
  /** Trust anchors as PEM, to look up issuers; `null` without any. */
  readonly authorities: Uint8Array | null
  /** The delivered material of each host; `null` with files. */
  readonly delivered: DeliveredHosts['sets'] | null
}

/** The material of the hosts of one batch. */
function deliveredIn(batch: Uint8Array, sets: DeliveredHosts['sets']): Map<string, DeliveredSet> {
  const hosts = fromSharedJson<BatchedHost[]>(batch)
  return new Map(hosts.flatMap(({ id }) => (sets.has(id) ? [[id, sets.get(id) as DeliveredSet]] : [])))
}

/** Limit of threads lost in one pass. After that, hosts that could not be prepared wait for the next pass. */
const MAX_LOST = 16

/** Collects the replies one by one: processing thousands of hosts at once would block the main thread. */
class HostResults {
  readonly hosts: Host[] = []
  readonly pages: Uint8Array[] = []
  readonly changed: string[] = []
  readonly problems: ProblemList
  readonly warnings: ProblemList
  readonly states: string[]

  constructor(problems: readonly Problem[], warnings: readonly Problem[]) {
    this.problems = new ProblemList(problems)
    this.warnings = new ProblemList(warnings)
    this.states = [identityOfProblems(problems)]
  }

  take({
    pack,
    ends,
    dates,
    hosts,
    page,
    changed,
    problems,
    warnings,
    failureDigest,
  }: PrepareHostsReply): void {
    const bytes = { pack, ends, dates }
    hosts.forEach((host, i) => {
      this.hosts.push(new PackedHost(host, bytes, i))
    })
    this.pages.push(page)
    this.changed.push(...changed)
    this.problems.add(problems)
    this.warnings.add(warnings)
    this.states.push(failureDigest)
  }

  /** Adds a problem for each host that cost a thread or could not be tried again. */
  giveUp(problems: readonly Problem[]): void {
    this.problems.add(problems)
    this.states.push(problems.map(({ code, host }) => `${code} ${host}`).join())
  }
}

/** The first problems of a long list, and their total number. */
class ProblemList {
  readonly #first: Problem[] = []
  #count = 0

  constructor(problems: readonly Problem[]) {
    this.add(problems)
  }

  add(problems: readonly Problem[]): void {
    this.#count += problems.length
    this.#first.push(...problems.slice(0, MAX_PROBLEMS - this.#first.length))
  }

  limited(): readonly Problem[] {
    return limitProblems(this.#first, this.#count)
  }
}
