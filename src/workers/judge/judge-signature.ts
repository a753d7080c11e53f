import type { X509Certificate } from 'node:crypto'

import { oneLine } from '../base/short-text.js'
import { readIssuer } from '../formats/issuer.js'
import { canonicalIssuerOf, canonicalSubjectOf } from '../formats/x509.js'
import { isSelfSigned, isSignedBy } from '../parse/certificates.js'
import { publicRootsNamed } from '../parse/public-roots.js'
import type { Findings } from '../problems/findings.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'

/** Result of looking for the issuer of the last linked certificate. */
export type IssuerVerdict = 'verified' | 'unknown' | 'refused'

/**
 * Finds the issuer of the last link among the engine's trust anchors, the public roots and the rest of the file, and
 * verifies the signature with its key. A comparison of names alone does not detect a flipped bit, for which clients
 * refuse the certificate.
 */
export function judgeLastSignature(
  { chain, linked, path }: Identity,
  anchorsNamed: NamedAnchors,
  found: Findings,
): IssuerVerdict {
  const last = chain[linked - 1] as X509Certificate
  if (isSelfSigned(last)) {
    if (linked > 1) judgeRoots([last], `${oneLine(last.subject)} in ${path}`, path, found)
    return 'verified'
  }
  const name = canonicalIssuerOf(last.raw)
  const roots = [...anchorsNamed(name), ...publicRootsNamed(name)]
  const candidates = [...roots, ...chain.filter((one) => canonicalSubjectOf(one.raw) === name)]
  const signers = candidates.filter((issuer) => isSignedBy(last, issuer))
  const subject = `${oneLine(last.subject)} in ${path}`
  const issuers = signers.filter((issuer) => last.checkIssued(issuer))
  if (issuers.length > 0) {
    const known = issuers.filter((issuer) => roots.includes(issuer))
    judgeRoots(known, `${oneLine(last.issuer)}, which issued ${subject},`, path, found)
    return 'verified'
  }
  const [signer] = signers
  if (signer) {
    const message = `${subject} was signed by ${oneLine(last.issuer)}, ${whyNotIssued(signer)}: clients refuse it`
    found.judge('reject', 'CHAIN_INCOMPLETE', message, path)
    return 'refused'
  }
  // `checkIssued` is false for an issuer that may not sign others, such as a self-signed server certificate.
  const isNamed = candidates.some((issuer) => last.checkIssued(issuer)) || readIssuer(last.raw).selfSigned
  if (!isNamed) return 'unknown'
  const message = `the signature of ${subject} does not verify with the key of ${oneLine(last.issuer)}: it is damaged, and clients refuse it`
  // Clients use their own copy of a root, so the one sent after the chain does not matter.
  const matters = linked === 1 || last.subject !== last.issuer
  found.judge(matters ? 'reject' : 'warn', 'SIGNATURE_INVALID', message, path)
  return matters ? 'refused' : 'verified'
}

/** Clients also verify the purpose of a root, in their own copy. One root that may issue for servers is enough. */
function judgeRoots(roots: readonly X509Certificate[], subject: string, path: string, found: Findings): void {
  const flaws = roots.map(whyNoRoot)
  const [flaw] = flaws
  if (flaw === undefined || flaw === null || flaws.includes(null)) return
  const message = `${subject} may not issue certificates for servers: ${flaw}; clients refuse the chain`
  found.judge('reject', 'CERT_PURPOSE', message, path)
}

/** For roots, OpenSSL also accepts older marks of a CA than basic constraints (`check_ca` in v3_purp.c). */
function whyNoRoot({ raw }: X509Certificate): string | null {
  const { ca, serverFlaw, invalid } = readIssuer(raw)
  return invalid ?? (ca === null ? 'it is not a CA certificate' : serverFlaw)
}

/** Why OpenSSL does not accept the signer of a certificate as its issuer (`X509_check_issued`). */
function whyNotIssued({ raw }: X509Certificate): string {
  const { certSign, invalid } = readIssuer(raw)
  if (certSign === false) return 'whose key usage lacks keyCertSign'
  if (invalid !== null) return `which cannot be read: ${invalid}`
  return 'whose key does not match its authority key identifier'
}
