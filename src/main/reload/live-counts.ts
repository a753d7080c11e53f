import type { MemberStatus } from '../api/members.js'
import type { EngineStatus } from '../api/reload-engine.js'
import type { Serving } from '../attach/serving.js'
import { type Fleet, sumOfRefused } from './fleet.js'

type Counts = Readonly<Record<number, number>>

/**
 * Counts of this process and all members: live connections by the generation that accepted them, and refused clients.
 * Connections of an evicted member are never counted for the current generation.
 */
export function liveCounts(
  { connections, snapshot, refusals }: Pick<Serving, 'connections' | 'snapshot' | 'refusals'>,
  fleet: Pick<Fleet, 'refusedPeers'>,
  members: readonly MemberStatus[],
): Pick<EngineStatus, 'connections' | 'refusedPeers'> {
  const current = snapshot.generation.number
  const counts = [
    connections.counts(),
    ...members.map(({ connections, evicted }) => (evicted ? without(connections, current) : connections)),
  ]
  return {
    connections: summed(counts),
    refusedPeers: sumOfRefused([refusals.counts, fleet.refusedPeers()]),
  }
}

function without(counts: Counts, generation: number): Counts {
  const { [generation]: _, ...others } = counts
  return others
}

function summed(counts: readonly Counts[]): Record<number, number> {
  const sum: Record<number, number> = {}
  for (const [generation, count] of counts.flatMap(Object.entries<number>)) {
    sum[Number(generation)] = (sum[Number(generation)] ?? 0) + count
  }
  return sum
}
