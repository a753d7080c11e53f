import type { X509Certificate } from 'node:crypto'

import { isSelfSigned } from './certificates.js'
import { oneLine } from './facts.js'
import type { Findings } from './findings.js'
import type { Identity } from './identity.js'
import { readIssuer } from './issuer.js'
import type { NamedAnchors } from './named-anchors.js'
import { publicRootsNamed } from './public-roots.js'
import { canonicalIssuerOf, canonicalSubjectOf } from './x509.js'

/** Where the last certificate that the leaf leads to was issued. */
export type IssuerVerdict = 'verified' | 'unknown' | 'refused'

/**
 * Looks for the issuer of the last link among the engine's trust anchors, the public roots and the rest of the file, and
 * verifies the signature with its key. By the name alone, a certificate with a flipped bit looks like any other, and clients
 * refuse it.
 */
export function judgeLastSignature(
  { chain, linked, path }: Identity,
  anchorsNamed: NamedAnchors,
  found: Findings,
): IssuerVerdict {
  const last = chain[linked - 1] as X509Certificate
  if (isSelfSigned(last)) return 'verified'
  const name = canonicalIssuerOf(last.raw)
  const candidates = [
    ...anchorsNamed(name),
    ...publicRootsNamed(name),
    ...chain.filter((one) => canonicalSubjectOf(one.raw) === name),
  ]
  const signers = candidates.filter((issuer) => isSignedBy(last, issuer))
  if (signers.some((issuer) => last.checkIssued(issuer))) return 'verified'
  const who = `${oneLine(last.subject)} in ${path}`
  if (signers.length > 0) {
    const message =
      `${who} was signed by ${oneLine(last.issuer)}, which may not sign it, or whose key it does not name: ` +
      'clients refuse it'
    found.judge('reject', 'CHAIN_INCOMPLETE', message, path)
    return 'refused'
  }
  // `checkIssued` denies it to a certificate that may not sign others, such as a server's that signed itself.
  const isNamed = candidates.some((issuer) => last.checkIssued(issuer)) || readIssuer(last.raw).selfSigned
  if (!isNamed) return 'unknown'
  const message = `the signature of ${who} does not verify with the key of ${oneLine(last.issuer)}: it is damaged, and clients refuse it`
  // Clients have their own copy of a root, so the one that is sent behind the chain does not matter.
  const matters = linked === 1 || last.subject !== last.issuer
  found.judge(matters ? 'reject' : 'warn', 'SIGNATURE_INVALID', message, path)
  return matters ? 'refused' : 'verified'
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey)
  } catch {
    // A key of another kind than the signature.
    return false
  }
}
