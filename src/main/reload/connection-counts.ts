import type { MemberStatus } from '../api/members.js'
import type { Serving } from '../attach/serving.js'

type Counts = Readonly<Record<number, number>>

/**
 * Live connections of this process and all members, by the generation that accepted them. Connections of an evicted member
 * are never counted for the current generation.
 */
export function connectionCounts(
  { connections, snapshot }: Pick<Serving, 'connections' | 'snapshot'>,
  members: readonly MemberStatus[],
): Record<number, number> {
  const current = snapshot.generation.number
  return summed([
    connections.counts(),
    ...members.map(({ connections, evicted }) => (evicted ? without(connections, current) : connections)),
  ])
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
