import { PeerRules } from '../../workers/judge/peer-rules.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import { runAtOnce, runInSlices, type SliceGauge } from './slices.js'

/** Rules of each trust, ready for lookups. */
const known = new WeakMap<PreparedTrust, PeerRules>()

/** The rules about peers of a trust; `null` if every verified peer may connect. */
export function peerRulesOf(trust: PreparedTrust): PeerRules | null {
  if (trust.peerRules === undefined) return null
  const rules = known.get(trust) ?? runAtOnce(PeerRules.build(trust.peerRules))
  known.set(trust, rules)
  return rules
}

/** Prepares the rules in slices, so that no handshake does it: 10,000 of them take some milliseconds. */
export async function stagePeerRules(trust: PreparedTrust, gauge: SliceGauge): Promise<void> {
  if (trust.peerRules === undefined || known.has(trust)) return
  known.set(trust, await runInSlices(PeerRules.build(trust.peerRules), gauge))
}
