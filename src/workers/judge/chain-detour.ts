import type { X509Certificate } from 'node:crypto'

import { canonicalIssuerOf } from '../formats/x509.js'
import { isSelfSigned } from '../parse/certificates.js'
import { publicRootsNamed } from '../parse/public-roots.js'
import type { Flaw } from './chain-flaws.js'
import { isIssuedBy, issuersIn } from './chain-order.js'
import type { NamedAnchors } from './named-anchors.js'

/** A certificate of a chain with its flaws. */
export interface Judged {
  readonly certificate: X509Certificate
  readonly flaws: readonly Flaw[]
}

/**
 * How clients reach a root without the certificates that they refuse.
 *
 * - `sure`: the path leads to a root in the file, among the engine's anchors or the public roots, or to an issuer whose
 *   root clients have themselves, as usual.
 * - `likely`: the path ends below a refused certificate without a known root. That may be a root's cross-signature,
 *   which clients with this root do not need, or an expired intermediate. The file does not distinguish these cases.
 */
export type Detour = 'sure' | 'likely'

/**
 * Finds a path without certificates that clients refuse. Its existence is enough for OpenSSL, GnuTLS, Go and Java: at
 * each step they look for a root before they use the certificates sent.
 *
 * @param judged the certificates of the file, leaf first.
 */
export function detourIn(judged: readonly Judged[], anchorsNamed: NamedAnchors): Detour | null {
  const all = judged.map(({ certificate }) => certificate)
  const flawsOf = new Map(judged.map(({ certificate, flaws }) => [certificate, flaws]))
  const rulesOut = (one: X509Certificate, what: Flaw['rulesOut']) =>
    flawsOf.get(one)?.some((flaw) => flaw.rulesOut === what) === true
  const isRefused = (one: X509Certificate) => rulesOut(one, 'certificate') || rulesOut(one, 'key')
  const leaf = all[0] as X509Certificate
  const usable = new Set([leaf])
  let isLikely = false
  for (const one of usable) {
    if (isSelfSigned(one) || hasKnownRoot(one, anchorsNamed)) return 'sure'
    const issuers = [...issuersIn(all, one)]
    for (const issuer of issuers) if (!isRefused(issuer)) usable.add(issuer)
    // A leaf below an expired certificate more likely lacks its intermediate than was issued by a root.
    if (one === leaf) continue
    if (issuers.length === 0) return 'sure'
    isLikely ||= issuers.every((issuer) => {
      return isRefused(issuer) && !rulesOut(issuer, 'key') && !leadsToRoot(issuer, all, anchorsNamed)
    })
  }
  return isLikely ? 'likely' : null
}

/** Whether the certificate was issued by an anchor of the engine or a public root. */
export function hasKnownRoot(certificate: X509Certificate, anchorsNamed: NamedAnchors): boolean {
  const name = canonicalIssuerOf(certificate.raw)
  return [...anchorsNamed(name), ...publicRootsNamed(name)].some(
    (one) => isSelfSigned(one) && isIssuedBy(certificate, one),
  )
}

function leadsToRoot(
  certificate: X509Certificate,
  all: readonly X509Certificate[],
  anchorsNamed: NamedAnchors,
): boolean {
  const above = new Set([certificate])
  for (const one of above) {
    if (isSelfSigned(one) || hasKnownRoot(one, anchorsNamed)) return true
    for (const issuer of issuersIn(all, one)) above.add(issuer)
  }
  return false
}
