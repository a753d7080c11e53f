import type { X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import type { ProblemCode } from '../base/problem.js'
import { oneLine } from '../base/short-text.js'
import { type Issuer, readIssuer } from '../formats/issuer.js'
import { hasExplicitCurve, pssDigestOf, signatureOid, unusualPointOf } from '../formats/x509.js'
import { isSelfSigned } from '../parse/certificates.js'
import { keyTypeOf, notAfterOf, notBeforeOf } from '../parse/facts.js'
import { whyTooLarge } from '../parse/key-size.js'
import type { Policy } from '../protocol/material.js'

/** Why clients refuse a certificate of a chain. */
export interface Flaw {
  readonly code: ProblemCode
  readonly message: string
  readonly verdict: 'reject' | 'warn'
  /**
   * What clients cannot use: this certificate, every certificate with this key, or `null` (they accept it or have their
   * own copy).
   */
  readonly rulesOut: 'certificate' | 'key' | null
}

/** All flaws of a certificate in a file. A leaf is not checked as an issuer. */
export function flawsOf(
  certificate: X509Certificate,
  isLeaf: boolean,
  path: string,
  policy: Policy,
  nowMs: number,
): Flaw[] {
  return [
    ...dateFlaws(certificate, isLeaf, path, policy, nowMs),
    ...(isLeaf ? strengthFlaws(certificate) : lastingFlawsOf(certificate)).map(
      ({ code, why, ofKey }): Flaw => {
        const verdict = verdictOn(code, policy)
        const rulesOut = verdict === 'warn' ? null : ofKey ? 'key' : 'certificate'
        return { code, message: `${oneLine(certificate.subject)} in ${path} ${why}`, verdict, rulesOut }
      },
    ),
  ]
}

/** Whether a certificate has no flaw as an issuer, regardless of the policy. */
export function isSound(certificate: X509Certificate, nowMs: number): boolean {
  return (
    notBeforeOf(certificate) <= nowMs &&
    notAfterOf(certificate) >= nowMs &&
    lastingFlawsOf(certificate).length === 0
  )
}

function dateFlaws(
  certificate: X509Certificate,
  isLeaf: boolean,
  path: string,
  { clockSkewSeconds, expired, notYetValid }: Policy,
  nowMs: number,
): Flaw[] {
  const skewMs = clockSkewSeconds * 1000
  const name = `the ${isLeaf ? 'certificate' : 'chain certificate'} ${oneLine(certificate.subject)} in ${path}`
  const end = notAfterOf(certificate)
  const start = notBeforeOf(certificate)
  // Clients use their own copy of a root, so the copy sent may have expired.
  const isOver = end + skewMs < nowMs && (isLeaf || !isSelfSigned(certificate))
  const isEarly = start - skewMs > nowMs
  const flaws: Flaw[] = []
  const add = (code: ProblemCode, what: string, counts: boolean, verdict: Flaw['verdict']) =>
    flaws.push({
      ...{ code, message: `${name} ${what}` },
      ...{ verdict: counts ? verdict : 'warn', rulesOut: counts ? 'certificate' : null },
    })
  if (end < nowMs) add('CERT_EXPIRED', `expired on ${isoTime(end)}`, isOver, expired)
  if (start > nowMs) add('CERT_NOT_YET_VALID', `is not valid before ${isoTime(start)}`, isEarly, notYetValid)
  return flaws
}

/** A flaw that does not depend on time. */
interface LastingFlaw {
  readonly code: 'CERT_PURPOSE' | 'KEY_TOO_WEAK' | 'KEY_TOO_LARGE' | 'KEY_ENCODING' | 'KEY_UNSUPPORTED'
  /** The flaw, worded to follow the name of the certificate. */
  readonly why: string
  readonly ofKey: boolean
}

function verdictOn(code: LastingFlaw['code'], policy: Policy): Flaw['verdict'] {
  if (code === 'CERT_PURPOSE' || code === 'KEY_UNSUPPORTED') return 'reject'
  if (code === 'KEY_ENCODING') return 'warn'
  return code === 'KEY_TOO_WEAK' ? policy.weakKey : policy.largeKey
}

/** Thousands of leaves share a few issuers, which are parsed once. */
const lasting = new WeakMap<X509Certificate, readonly LastingFlaw[]>()

function lastingFlawsOf(certificate: X509Certificate): readonly LastingFlaw[] {
  const known = lasting.get(certificate)
  if (known) return known
  const flaws = strengthFlaws(certificate)
  // Clients use their own copy of a root: the extensions of the copy sent do not matter, but its key does.
  const why = isSelfSigned(certificate) ? null : whyNoIssuer(certificate)
  if (why !== null) {
    const message = `may not issue certificates for servers: ${why}; clients refuse the chain`
    flaws.unshift({ code: 'CERT_PURPOSE', why: message, ofKey: false })
  }
  lasting.set(certificate, flaws)
  return flaws
}

function strengthFlaws(certificate: X509Certificate): LastingFlaw[] {
  const flaws: LastingFlaw[] = []
  const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < MIN_RSA_BITS) {
    const message = `uses a ${bits}-bit ${keyTypeOf(certificate.publicKey).split(' ')[0]} key; at least ${MIN_RSA_BITS} bits are required`
    flaws.push({ code: 'KEY_TOO_WEAK', why: message, ofKey: true })
  }
  const large = whyTooLarge(certificate.publicKey)
  if (large !== null) {
    const message = `has ${large}, which makes each handshake too slow`
    flaws.push({ code: 'KEY_TOO_LARGE', why: message, ofKey: true })
  }
  const signature = pssDigestOf(certificate.raw) ?? signatureOid(certificate.raw)
  if (WEAK_SIGNATURES.has(signature) && !isSelfSigned(certificate)) {
    const message = 'is signed with SHA-1 or MD5, which clients refuse'
    flaws.push({ code: 'KEY_TOO_WEAK', why: message, ofKey: false })
  }
  return [...flaws, ...encodingFlaws(certificate)]
}

/** EC keys in encodings that some TLS libraries do not support. */
function encodingFlaws(certificate: X509Certificate): LastingFlaw[] {
  if (hasExplicitCurve(certificate.raw)) {
    const what = 'has an EC key whose curve is given by explicit parameters instead of a name'
    // OpenSSL checks the curve in every chain of more than one certificate (`check_extensions` in x509_vfy.c).
    const isRefused = !isSelfSigned(certificate)
    const refusal = isRefused ? 'which OpenSSL refuses' : 'which Go, GnuTLS and others do not support'
    const why = `${what}, ${refusal}; ${REWRITE}`
    return [{ code: isRefused ? 'KEY_UNSUPPORTED' : 'KEY_ENCODING', why, ofKey: true }]
  }
  const form = unusualPointOf(certificate.raw)
  if (form === null) return []
  const why = `has an EC key encoded as a ${form} point, which GnuTLS and others do not support; ${REWRITE}`
  return [{ code: 'KEY_ENCODING', why, ofKey: true }]
}

const REWRITE =
  'convert the key with openssl ec -in OLD -param_enc named_curve -conv_form uncompressed -out NEW, and reissue the ' +
  'certificate'

function whyNoIssuer(certificate: X509Certificate): string | null {
  const { ca, serverFlaw, invalid } = readIssuer(certificate.raw)
  return invalid ?? flawOfCa(ca) ?? serverFlaw
}

/**
 * Between leaf and root, OpenSSL accepts only basic constraints as the mark of a CA (`check_extensions` in x509_vfy.c).
 */
function flawOfCa(ca: Issuer['ca']): string | null {
  if (ca === 'ca') return null
  return ca === null ? 'it is not a CA certificate' : 'it has no basic constraints that make it a CA'
}

const MIN_RSA_BITS = 2048
/** MD2, MD4, MD5 and SHA-1 with RSA, SHA-1 with ECDSA and DSA, then the digests alone, for RSASSA-PSS. */
const WEAK_SIGNATURES = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.3',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.3.14.3.2.29', // SHA-1 with RSA, older identifier (OIW)
  '1.2.840.10045.4.1',
  '1.2.840.10040.4.3',
  '1.2.840.113549.2.2',
  '1.2.840.113549.2.4',
  '1.2.840.113549.2.5',
  '1.3.14.3.2.26',
])
