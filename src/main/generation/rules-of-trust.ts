import { PeerRules } from '../../workers/judge/peer-rules.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { Snapshot } from './generation.js'
import { runAtOnce, runInSlices, type SliceGauge } from './slices.js'

/** Rules of each trust, ready for lookups. */
const known = new WeakMap<PreparedTrust, PeerRules>()

/** Whether the rules of a trust leave out one of an earlier trust, by the later and the earlier one. */
const shrunk = new WeakMap<PreparedTrust, WeakMap<PreparedTrust, boolean>>()

/** The rules about peers of a trust; `null` if every verified peer may connect. */
export function peerRulesOf(trust: PreparedTrust): PeerRules | null {
  if (trust.peerRules === undefined) return null
  const rules = known.get(trust) ?? runAtOnce(PeerRules.build(trust.peerRules))
  known.set(trust, rules)
  return rules
}

/** Whether `before` may admit a peer that the rules of `after` do not. Without rules, every verified peer is admitted. */
export function rulesShrank(before: PreparedTrust, after: PreparedTrust): boolean {
  const [was, is] = [peerRulesOf(before), peerRulesOf(after)]
  if (is === null) return false
  if (was === null) return true
  const result = shrunk.get(after)?.get(before) ?? !runAtOnce(is.comparison(was))
  noteShrunk(before, after, result)
  return result
}

/**
 * Prepares the rules, and their comparison with those in force, in slices, so that neither a handshake nor COMMIT does it: 10,000
 * rules take some milliseconds.
 *
 * @param inForce `undefined` at the start.
 */
export async function stagePeerRules(
  trust: PreparedTrust,
  inForce: { readonly snapshot: Snapshot } | undefined,
  gauge: SliceGauge,
): Promise<void> {
  if (trust.peerRules === undefined) return
  const rules = known.get(trust) ?? (await runInSlices(PeerRules.build(trust.peerRules), gauge))
  known.set(trust, rules)
  const served = inForce?.snapshot.material.trust
  const before = served && known.get(served)
  if (before && served !== trust && shrunk.get(trust)?.get(served) === undefined)
    noteShrunk(served, trust, !(await runInSlices(rules.comparison(before), gauge)))
}

function noteShrunk(before: PreparedTrust, after: PreparedTrust, result: boolean): void {
  shrunk.set(after, (shrunk.get(after) ?? new WeakMap()).set(before, result))
}
