import { availableParallelism } from 'node:os'
import { type EventLoopUtilization, performance } from 'node:perf_hooks'

import type { PrepareHostsReply, ScanHostsReply, ScanHostsTask } from '../../workers/hosts/protocol.js'
import type { Problem } from '../../workers/problem.js'
import type { Host } from '../generation/host-table.js'
import { PackedHost } from '../generation/packed-host.js'
import type { Preparer } from '../pool.js'
import type { ResolvedOptions } from '../resolve-options.js'
import { MOST_TOLD } from './host-warnings.js'

/** What one pass found about the hosts. */
export interface HostsReport {
  readonly hosts: readonly Host[]
  readonly removed: readonly string[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Tells one refused state of the hosts from another; empty when none was refused. */
  readonly state: string
  /** Certificate files of the hosts that changed. */
  readonly changed: readonly string[]
  /** The worker's records once this is served. */
  readonly record: Uint8Array
  readonly held: Uint8Array | null
  /** Whether some are as they were rolled away from, and so were left alone. */
  readonly heldBack: boolean
}

/** What the look at the hosts came to, where any of them differ. */
type ChangedHosts = Extract<ScanHostsReply, { kind: 'changed' }>

/** Threads that work on a long list; the main thread takes in one reply at a time. */
const MOST_THREADS = 2

/**
 * PREPARE for hosts that are known to have changed: one task for every few dozen of them, and one seals the record. Only
 * hosts that changed travel.
 */
export async function prepareHosts(
  preparer: Preparer,
  { sources: material, context, policy }: ResolvedOptions,
  { limits, record, held, force, fresh }: ScanHostsTask,
  scan: ChangedHosts,
): Promise<HostsReport> {
  const harvest = new Harvest(scan.problems, scan.warnings)
  const task = { passphrase: material.passphrase, limits, context, policy, force, fresh }
  const batches = [...scan.batches]
  const prepareBatch = async () => {
    const batch = batches.shift()
    if (!batch) return
    const reply = await preparer.prepareHosts({ ...task, batch })
    harvest.take(reply)
    if (reply.rest) batches.push(reply.rest)
  }
  // The first batch, on one thread, shows how busy the event loop is meanwhile.
  const start = performance.eventLoopUtilization()
  await prepareBatch()
  await Promise.all(
    Array.from({ length: threadsBeside(start) }, async () => {
      while (batches.length > 0) await prepareBatch()
    }),
  )
  const { removed } = scan
  const sealed = await preparer.sealHosts({ record, held, removed, pages: harvest.pages })
  return {
    hosts: harvest.hosts,
    removed,
    problems: harvest.problems.told(),
    warnings: harvest.warnings.told(),
    state: harvest.states.sort().join(),
    // At the first load everything would be in it.
    changed: record === null ? [] : harvest.changed,
    heldBack: scan.held,
    ...sealed,
  }
}

/**
 * How many threads work on the rest. A busy event loop keeps a core to itself: on two cores a second thread would take a
 * third of its time, make each garbage collection wait for helpers that find no core, and be no sooner done.
 */
function threadsBeside(start: EventLoopUtilization): number {
  const isLoopBusy = performance.eventLoopUtilization(start).utilization > 0.5
  return isLoopBusy ? Math.min(MOST_THREADS, Math.max(1, availableParallelism() - 1)) : MOST_THREADS
}

/** What the replies come to, gathered one by one: together, thousands of hosts would hold the main thread. */
class Harvest {
  readonly hosts: Host[] = []
  readonly pages: Uint8Array[] = []
  readonly changed: string[] = []
  readonly problems: ProblemList
  readonly warnings: ProblemList
  readonly states: string[]

  constructor(problems: readonly Problem[], warnings: readonly Problem[]) {
    this.problems = new ProblemList(problems)
    this.warnings = new ProblemList(warnings)
    this.states = [JSON.stringify(problems)]
  }

  take({ pack, ends, hosts, page, changed, problems, warnings, state }: PrepareHostsReply): void {
    const bytes = { pack, ends }
    hosts.forEach((host, i) => {
      this.hosts.push(new PackedHost(host, bytes, i))
    })
    this.pages.push(page)
    this.changed.push(...changed)
    this.problems.add(problems)
    this.warnings.add(warnings)
    this.states.push(state)
  }
}

/** The first of many problems, and how many there are. */
class ProblemList {
  readonly #first: Problem[] = []
  #count = 0

  constructor(problems: readonly Problem[]) {
    this.add(problems)
  }

  add(problems: readonly Problem[]): void {
    this.#count += problems.length
    this.#first.push(...problems.slice(0, MOST_TOLD - this.#first.length))
  }

  told(): readonly Problem[] {
    const more = this.#count - this.#first.length
    const [first] = this.#first
    if (more === 0 || !first) return this.#first
    return [...this.#first, { code: first.code, message: `and ${more} more of this and other kinds` }]
  }
}
