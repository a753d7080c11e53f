import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import { HostTable, inSteps } from '../generation/host-table.js'
import { runInSlices } from '../generation/slices.js'

/** The difference between two tables of hosts. */
export interface HostsBetween {
  readonly changed: readonly Host[]
  readonly removed: readonly string[]
}

/** Compares the hosts of two generations. @param before `null` for a member that has no generation yet. */
export async function hostsBetween(before: Snapshot | null, next: Snapshot): Promise<HostsBetween> {
  const known = (before?.hosts ?? HostTable.empty).byId
  const changed: Host[] = []
  const removed: string[] = []
  if (before?.hosts === next.hosts) return { changed, removed }
  const compare = function* () {
    yield* inSteps(next.hosts.byId.values(), (host) => {
      if (known.get(host.id) !== host) changed.push(host)
    })
    yield* inSteps(known.keys(), (id) => {
      if (!next.hosts.byId.has(id)) removed.push(id)
    })
  }
  await runInSlices(compare(), { longestMs: 0 })
  return { changed, removed }
}
