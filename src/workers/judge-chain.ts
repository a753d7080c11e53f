import { detourIn, type Judged } from './chain-detour.js'
import { flawsOf } from './chain-flaws.js'
import { connected } from './chain-order.js'
import type { Findings } from './findings.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'
import type { Policy } from './protocol.js'

/**
 * Looks for certificates of a chain that OpenSSL loads without an error and clients then refuse: dates, purpose, weak and
 * large keys, weak signatures. A certificate that no path needs is a warning: clients verify the chain without it.
 *
 * @returns how many certificates, from the leaf up, clients need.
 */
export function judgeChain(
  { chain, linked, path }: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): number {
  const nowMs = Date.now()
  const judged = chain.map((certificate, i): Judged => {
    return { certificate, flaws: flawsOf(certificate, i === 0, path, policy, nowMs) }
  })
  const refused = judged.map(({ flaws }) => flaws.some(({ rulesOut }) => rulesOut !== null))
  const isFlawless = !refused.some((is, i) => is && i > 0)
  const onPath = isFlawless ? null : connected(chain)
  const detour = isFlawless ? null : detourIn(judged, anchorsNamed)
  judged.forEach(({ certificate, flaws }, i) => {
    const isStranger = onPath !== null && !onPath.has(certificate)
    for (const { code, message, verdict, rulesOut } of flaws) {
      // That it is no part of the chain was reported as such.
      if (isStranger && code === 'CERT_PURPOSE') continue
      const isNeeded = i === 0 || rulesOut === null || !(isStranger || detour)
      if (isNeeded) found.judge(verdict, code, message, path)
      else found.judge('warn', code, `${message}; ${REMEDIES[(!isStranger && detour) || 'sure']}`, path)
    }
  })
  if (!detour) return linked
  const firstRefused = refused.slice(1, linked).indexOf(true)
  return firstRefused < 0 ? linked : firstRefused + 1
}

const REMEDIES = {
  sure: 'clients do not need it: leave it out of the file',
  likely: 'clients that have its root do not need it, and others refuse the chain: leave it out of the file, or renew it',
} as const
