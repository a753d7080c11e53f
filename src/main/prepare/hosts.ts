import type { PreparedHost, PrepareHostsReply } from '../../workers/hosts/protocol.js'
import type { Problem } from '../../workers/problem.js'
import type { PrepareTask } from '../../workers/protocol.js'
import type { Host } from '../generation/host-table.js'
import type { Preparer } from '../pool.js'
import type { ResolvedOptions } from '../resolve-options.js'

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

export interface HostsMode {
  readonly record: Uint8Array | null
  readonly held: Uint8Array | null
  readonly force: boolean
  readonly fresh: boolean
}

/** Two threads work on a long list; the main thread takes in one reply at a time. */
const AT_ONCE = 2

/** Of ten thousand hosts that all cannot be read, so many are told one by one. */
const MOST_TOLD = 100

/**
 * PREPARE for hosts: one task finds what changed, one for every few dozen hosts prepares them, one seals the record. Only
 * hosts that changed travel.
 *
 * @returns `null` when nothing changed; `'held'` when nothing did since a rollback.
 */
export async function prepareHosts(
  preparer: Preparer,
  options: ResolvedOptions,
  limits: PrepareTask['limits'],
  mode: HostsMode,
): Promise<HostsReport | 'held' | null> {
  const { hosts: sources, sources: material, context, policy } = options
  if (sources === null) return null
  const { record, held, force, fresh } = mode
  const scan = await preparer.scanHosts({ sources, limits, record, held, force, fresh })
  if (scan.kind !== 'changed') return scan.kind === 'held' ? 'held' : null
  const replies: PrepareHostsReply[] = []
  const task = { record, passphrase: material.passphrase, limits, context, policy, force, fresh }
  const batches = [...scan.batches]
  const work = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const reply = await preparer.prepareHosts({ ...task, batch })
      replies.push(reply)
      if (reply.rest) batches.push(reply.rest)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const { removed } = scan
  const sealed = await preparer.sealHosts({ record, held, removed, pages: replies.map(({ page }) => page) })
  return {
    hosts: replies.flatMap(({ pack, hosts }) => hosts.map((host) => unpacked(host, pack))),
    removed,
    problems: firstOf([...scan.problems, ...replies.flatMap(({ problems }) => problems)]),
    warnings: firstOf([...scan.warnings, ...replies.flatMap(({ warnings }) => warnings)]),
    state: [JSON.stringify(scan.problems), ...replies.map(({ state }) => state)].sort().join(),
    changed: replies.flatMap(({ changed }) => changed),
    heldBack: scan.held,
    ...sealed,
  }
}

function unpacked({ id, names, facts, chain, key }: PreparedHost, pack: Uint8Array): Host {
  return { id, names, facts, pair: { chain: pack.subarray(...chain), key: pack.subarray(...key) } }
}

function firstOf(problems: readonly Problem[]): readonly Problem[] {
  const more = problems.length - MOST_TOLD
  if (more <= 0) return problems
  const [first] = problems as [Problem]
  return [
    ...problems.slice(0, MOST_TOLD),
    { code: first.code, message: `and ${more} more of this and other kinds` },
  ]
}
