import { X509Certificate } from 'node:crypto'

import { ProblemError } from '../base/problem.js'
import { nodeAt } from '../formats/der.js'
import { isPkcs7 } from '../formats/der-kind.js'
import { whyNotForIssuers, whyNotLoadable } from '../formats/key-kinds.js'
import { derOf, kindOfBlock, type PemBlock } from '../formats/pem.js'
import { pemHint, pkcs7Hint } from '../formats/pem-hints.js'
import { assertReadable, assertReadablePurposes, keyKindIn } from '../formats/x509.js'
import { reading } from '../problems/reading.js'
import { notAfterOf, notBeforeOf } from './facts.js'

/** Labels that OpenSSL accepts for one certificate; the last one includes trust settings. */
const LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])

export function isCertificateBlock(block: PemBlock): boolean {
  return LABELS.has(block.label)
}

/**
 * Every certificate of a file, in file order.
 *
 * @throws ProblemError `CERT_MISSING`, which names the content found instead, or `PEM_INVALID` for a damaged
 *   certificate.
 */
export function certificatesOf(blocks: readonly PemBlock[], path: string): X509Certificate[] {
  const found = blocks.filter(isCertificateBlock)
  if (found.length === 0) {
    const message = `${path} holds no certificate, but ${describe(blocks)}${pemHint(blocks, path)}`
    throw new ProblemError('CERT_MISSING', message, path)
  }
  return found.map(({ pem }, i) => {
    // The leaf may be repeated.
    const parse = pem === found[0]?.pem ? usableCertificate : usableIssuer
    return parse(pem, `certificate ${i + 1} of ${found.length} in ${path}`, path)
  })
}

/** Recently parsed issuers: ten thousand leaves share a few. */
const issuers = new Map<string, X509Certificate>()
const MAX_ISSUERS = 64

function usableIssuer(pem: string, what: string, path: string): X509Certificate {
  const known = issuers.get(pem)
  if (known) return known
  const issuer = usableCertificate(pem, what, path)
  assertIssuerKey(issuer, what, path)
  if (issuers.size === MAX_ISSUERS) issuers.clear()
  issuers.set(pem, issuer)
  return issuer
}

/**
 * Parses a certificate and its key and dates, which OpenSSL otherwise decodes only on first use.
 *
 * @throws ProblemError `PEM_INVALID`
 */
export function usableCertificate(pem: string, what: string, path: string): X509Certificate {
  const certificate = parseCertificate(pem, what, path)
  if (Number.isNaN(notBeforeOf(certificate)) || Number.isNaN(notAfterOf(certificate))) {
    throw damagedCertificate(what, path, 'its dates cannot be read')
  }
  try {
    certificate.publicKey
  } catch {
    throw damagedCertificate(what, path, 'its public key is of a kind that OpenSSL does not know')
  }
  return certificate
}

/**
 * Parses a certificate so that later reads cannot fail: our own DER-only reader checks the bytes before OpenSSL, which
 * also accepts BER.
 *
 * @param properties those that are read later. @defaultValue all that are read of server certificates
 * @throws ProblemError `PEM_INVALID`, or `KEY_UNSUPPORTED` for a key that Node or OpenSSL cannot handle safely.
 */
export function parseCertificate(
  pem: string,
  what: string,
  path: string,
  properties: readonly LaterProperty[] = LATER_PROPERTIES,
): X509Certificate {
  return reading('PEM_INVALID', damaged(what), path, () => {
    const der = certificateDer(pem)
    if (isPkcs7(der)) throw damagedCertificate(what, path, `it is PKCS#7; ${pkcs7Hint(path)}`)
    assertReadable(der)
    if (properties.includes('keyUsage')) assertReadablePurposes(der)
    const why = whyNotLoadable(keyKindIn(der))
    if (why !== null) throw unsupportedKey(what, why, path)
    const certificate = new X509Certificate(pem)
    // Some getters throw for certificates that OpenSSL accepts: fail here instead of in the middle of a check.
    for (const property of properties) void certificate[property]
    return certificate
  })
}

/**
 * For a certificate in a chain or among the trust anchors, whose key must verify others.
 *
 * @throws ProblemError `KEY_UNSUPPORTED` for a key that OpenSSL verifies nothing with.
 */
export function assertIssuerKey({ raw }: X509Certificate, what: string, path: string): void {
  const why = whyNotForIssuers(keyKindIn(raw))
  if (why !== null) throw unsupportedKey(what, why, path)
}

type LaterProperty = 'subject' | 'issuer' | 'subjectAltName' | 'keyUsage' | 'ca' | 'serialNumber' | 'validTo'

const LATER_PROPERTIES: readonly LaterProperty[] = [
  'subject',
  'issuer',
  'subjectAltName',
  'keyUsage',
  'ca',
  'serialNumber',
  'validTo',
]

/** The DER of one certificate; in a `TRUSTED CERTIFICATE` block, trust settings follow it. */
function certificateDer(pem: string): Buffer {
  const der = derOf(pem)
  return pem.startsWith('-----BEGIN TRUSTED ') ? der.subarray(0, nodeAt(der, 0).to) : der
}

function unsupportedKey(what: string, why: string, path: string): ProblemError {
  return new ProblemError('KEY_UNSUPPORTED', `the key of ${what} cannot be used: ${why}`, path)
}

/** Whether it signed itself. `checkIssued` alone is false for a certificate that may not sign others. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer && isSignedBy(certificate, certificate)
}

/** Whether the key of `issuer` verifies the signature. Names are not compared. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey)
  } catch {
    // The key does not fit the signature algorithm, or is of a kind that OpenSSL does not know.
    return false
  }
}

export function damagedCertificate(what: string, path: string, how?: string): ProblemError {
  return new ProblemError('PEM_INVALID', damaged(what, how), path)
}

function damaged(what: string, how: string = 'it is not an X.509 certificate in DER'): string {
  return `${what} is damaged: ${how}`
}

/** Describes the blocks of a file, for a message about the wrong file. */
export function describe(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0) return 'no PEM block at all'
  const kinds = new Set(blocks.map(({ label }) => kindOf(label)))
  return [...kinds].join(' and ')
}

function kindOf(label: string): string {
  if (LABELS.has(label)) return 'a certificate'
  if (label === 'OPENSSH PRIVATE KEY') return 'a private key of OpenSSH'
  if (label.endsWith('PRIVATE KEY')) return 'a private key'
  if (label.endsWith('CERTIFICATE REQUEST')) return 'a certificate request (CSR)'
  if (label.endsWith('PUBLIC KEY')) return 'a public key'
  if (label === 'X509 CRL') return 'a revocation list'
  if (label === 'PKCS7' || label === 'PKCS #7 SIGNED DATA') return 'PKCS#7 (a .p7b file)'
  return `a block (${kindOfBlock(label)})`
}
