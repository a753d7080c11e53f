import type { X509Certificate } from 'node:crypto'

import { canonicalIssuerOf } from '../formats/x509.js'
import { isSelfSigned } from '../parse/certificates.js'
import { publicRootsNamed } from '../parse/public-roots.js'
import type { Flaw } from './chain-flaws.js'
import { isIssuedBy, issuersIn } from './chain-order.js'
import type { NamedAnchors } from './named-anchors.js'

/** A certificate of a chain with what is wrong with it. */
export interface Judged {
  readonly certificate: X509Certificate
  readonly flaws: readonly Flaw[]
}

/**
 * How clients reach a root without the certificates that they refuse.
 *
 * - `sure`: the path leads to a root that is in the file, among the engine's anchors or public, or to an issuer whose root is
 *   left to clients, as usual.
 * - `likely`: the path ends below a certificate that clients refuse and that has no root of its own here. It may be the
 *   cross-signature of a root, which clients that have this root do without. It may also be an intermediate that expired. The
 *   file does not tell these apart.
 */
export type Detour = 'sure' | 'likely'

/**
 * Looks for a path without any certificate that clients refuse. All that OpenSSL, GnuTLS, Go and Java need is that one
 * exists: they look for a root at each step before they take what the server sent.
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
    // A leaf below an expired certificate is more likely to lack its intermediate than to have been issued by a root.
    if (one === leaf) continue
    if (issuers.length === 0) return 'sure'
    isLikely ||= issuers.every((issuer) => {
      return isRefused(issuer) && !rulesOut(issuer, 'key') && !leadsToRoot(issuer, all, anchorsNamed)
    })
  }
  return isLikely ? 'likely' : null
}

/** Whether a root that clients may trust, an anchor of the engine or a public root, issued the certificate. */
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
