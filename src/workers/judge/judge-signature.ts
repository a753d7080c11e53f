import type { X509Certificate } from 'node:crypto'

import { oneLine } from '../base/short-text.js'
import { readIssuer } from '../formats/issuer.js'
import { canonicalIssuerOf, canonicalSubjectOf } from '../formats/x509.js'
import { isSelfSigned } from '../parse/certificates.js'
import { publicRootsNamed } from '../parse/public-roots.js'
import type { Findings } from '../problems/findings.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'

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
  if (isSelfSigned(last)) {
    if (linked > 1) judgeRoots([last], `${oneLine(last.subject)} in ${path}`, path, found)
    return 'verified'
  }
  const name = canonicalIssuerOf(last.raw)
  const roots = [...anchorsNamed(name), ...publicRootsNamed(name)]
  const candidates = [...roots, ...chain.filter((one) => canonicalSubjectOf(one.raw) === name)]
  const signers = candidates.filter((issuer) => isSignedBy(last, issuer))
  const who = `${oneLine(last.subject)} in ${path}`
  const issuers = signers.filter((issuer) => last.checkIssued(issuer))
  if (issuers.length > 0) {
    const known = issuers.filter((issuer) => roots.includes(issuer))
    judgeRoots(known, `${oneLine(last.issuer)}, which issued ${who},`, path, found)
    return 'verified'
  }
  const [signer] = signers
  if (signer) {
    const message = `${who} was signed by ${oneLine(last.issuer)}, ${whyNotIssued(signer)}: clients refuse it`
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

/** Clients verify the purpose of a root too, in their own copy of it. A single one that may issue for servers is enough. */
function judgeRoots(roots: readonly X509Certificate[], who: string, path: string, found: Findings): void {
  const flaws = roots.map(whyNoRoot)
  const [flaw] = flaws
  if (flaw === undefined || flaw === null || flaws.includes(null)) return
  const message = `${who} may not issue certificates for servers: ${flaw}; clients refuse the chain`
  found.judge('reject', 'CERT_PURPOSE', message, path)
}

/** OpenSSL takes older signs of a CA than basic constraints in a root (`check_ca` in v3_purp.c). */
function whyNoRoot({ raw }: X509Certificate): string | null {
  const { ca, serverFlaw, invalid } = readIssuer(raw)
  return invalid ?? (ca === null ? 'it is not a CA certificate' : serverFlaw)
}

/** Why OpenSSL does not take what signed a certificate for its issuer (`X509_check_issued`). */
function whyNotIssued({ raw }: X509Certificate): string {
  const { certSign, invalid } = readIssuer(raw)
  if (certSign === false) return 'whose key usage lacks keyCertSign'
  if (invalid !== null) return `which cannot be read: ${invalid}`
  return 'whose key its authority key identifier does not name'
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey)
  } catch {
    // A key of another kind than the signature.
    return false
  }
}
