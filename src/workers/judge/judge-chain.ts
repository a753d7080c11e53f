import { isSelfSigned } from '../parse/certificates.js'
import type { Findings } from '../problems/findings.js'
import type { Policy } from '../protocol/material.js'
import { type Detour, detourIn, type Judged } from './chain-detour.js'
import { type Flaw, flawsOf } from './chain-flaws.js'
import { connected } from './chain-order.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'

/**
 * Finds certificates of a chain that OpenSSL loads without an error but clients refuse: dates, purpose, weak and large
 * keys, weak signatures. A flaw of a certificate that no path needs is a warning, because clients verify the chain
 * without it.
 *
 * @returns the identity as served. `linked` counts the certificates that clients need; unneeded weak certificates are
 *   left out, because OpenSSL does not load them at its default security level.
 */
export function judgeChain(
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): Identity {
  const { chain, linked, path } = identity
  const nowMs = Date.now()
  const judged = chain.map((certificate, i): Judged => {
    return { certificate, flaws: flawsOf(certificate, i === 0, path, policy, nowMs) }
  })
  const [leaf, ...issuers] = judged as [Judged, ...Judged[]]
  for (const { verdict, code, message } of leaf.flaws) found.judge(verdict, code, message, path)
  if (issuers.every(({ flaws }) => flaws.length === 0)) return identity

  const onPath = connected(chain)
  const detour = issuers.some(isRefused) ? detourIn(judged, anchorsNamed) : null
  const unneeded = new Set<Judged>()
  for (const issuer of issuers) {
    const remedy = remedyFor(issuer, onPath.has(issuer.certificate), detour)
    if (remedy !== null) unneeded.add(issuer)
    for (const flaw of issuer.flaws) {
      if (remedy === null) found.judge(flaw.verdict, flaw.code, flaw.message, path)
      else {
        const unsent = isWeakness(flaw) ? 'it is not sent, and ' : ''
        found.judge('warn', flaw.code, `${flaw.message}; ${unsent}${remedy}`, path)
      }
    }
  }
  const firstUnneeded = judged.findIndex((one) => unneeded.has(one))
  const served = judged.filter((one) => !unneeded.has(one) || !one.flaws.some(isWeakness))
  return {
    ...identity,
    chain: served.map(({ certificate }) => certificate),
    linked: firstUnneeded < 0 ? linked : Math.min(linked, firstUnneeded),
  }
}

function isRefused({ flaws }: Judged): boolean {
  return flaws.some(({ rulesOut }) => rulesOut !== null)
}

function isWeakness({ code, verdict }: Flaw): boolean {
  return code === 'KEY_TOO_WEAK' && verdict === 'reject'
}

/** Why clients do not need a flawed certificate, and what to do; `null` if they need it. */
function remedyFor(one: Judged, isOnPath: boolean, detour: Detour | null): string | null {
  if (one.flaws.length === 0) return null
  if (!isOnPath) return REMEDIES.sure
  if (isRefused(one)) return detour && REMEDIES[detour]
  const isOver = one.flaws.some(({ code }) => code === 'CERT_EXPIRED')
  return isOver && isSelfSigned(one.certificate) ? REMEDIES.root : null
}

const REMEDIES = {
  sure: 'clients do not need it: leave it out of the file',
  root: 'clients use their own copy of a root: leave it out of the file',
  likely:
    'clients that trust a root of this name do not need it, and all others refuse the chain: leave it out of the file, or renew it',
} as const
