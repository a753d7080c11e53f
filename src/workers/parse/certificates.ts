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

/** Labels under which OpenSSL takes one certificate; the last has trust settings behind it. */
const LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])

export function isCertificateBlock(block: PemBlock): boolean {
  return LABELS.has(block.label)
}

/**
 * Every certificate of a file, in its order.
 *
 * @throws ProblemError `CERT_MISSING`, which names what the file holds instead, or `PEM_INVALID` for one that is damaged.
 */
export function certificatesOf(blocks: readonly PemBlock[], path: string): X509Certificate[] {
  const found = blocks.filter(isCertificateBlock)
  if (found.length === 0) {
    const message = `${path} holds no certificate, but ${describe(blocks)}${pemHint(blocks, path)}`
    throw new ProblemError('CERT_MISSING', message, path)
  }
  return found.map(({ pem }, i) => {
    // The leaf may be there twice.
    const parse = pem === found[0]?.pem ? usableCertificate : usableIssuer
    return parse(pem, `certificate ${i + 1} of ${found.length} in ${path}`, path)
  })
}

/** Issuers that were parsed last: ten thousand leaves have the same few. */
const issuers = new Map<string, X509Certificate>()
const MOST_ISSUERS = 64

function usableIssuer(pem: string, what: string, path: string): X509Certificate {
  const known = issuers.get(pem)
  if (known) return known
  const issuer = usableCertificate(pem, what, path)
  assertIssuerKey(issuer, what, path)
  if (issuers.size === MOST_ISSUERS) issuers.clear()
  issuers.set(pem, issuer)
  return issuer
}

/**
 * A certificate whose key and dates can be read too: OpenSSL looks at these only when it is asked for them.
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
 * A certificate of which everything that is asked later can be answered: our own reader takes DER alone, and looks at
 * the bytes of the file before OpenSSL, which also takes BER, does.
 *
 * @param asked what is asked later. @defaultValue all that is asked of the certificate of a server
 * @throws ProblemError `PEM_INVALID`, or `KEY_UNSUPPORTED` for a key that Node or OpenSSL cannot handle safely.
 */
export function parseCertificate(
  pem: string,
  what: string,
  path: string,
  asked: readonly AskedLater[] = ASKED_LATER,
): X509Certificate {
  return reading('PEM_INVALID', damaged(what), path, () => {
    const der = certificateDer(pem)
    if (isPkcs7(der)) throw damagedCertificate(what, path, `it is PKCS#7; ${pkcs7Hint(path)}`)
    assertReadable(der)
    if (asked.includes('keyUsage')) assertReadablePurposes(der)
    const why = whyNotLoadable(keyKindIn(der))
    if (why !== null) throw unsupportedKey(what, why, path)
    const certificate = new X509Certificate(pem)
    // Some of these throw for certificates that OpenSSL takes: better here than in the middle of a judgement.
    for (const property of asked) void certificate[property]
    return certificate
  })
}

/**
 * A certificate in a chain or among the trust anchors, whose key has to vouch for others.
 *
 * @throws ProblemError `KEY_UNSUPPORTED` for a key that OpenSSL verifies nothing with.
 */
export function assertIssuerKey({ raw }: X509Certificate, what: string, path: string): void {
  const why = whyNotForIssuers(keyKindIn(raw))
  if (why !== null) throw unsupportedKey(what, why, path)
}

type AskedLater = 'subject' | 'issuer' | 'subjectAltName' | 'keyUsage' | 'ca' | 'serialNumber' | 'validTo'

const ASKED_LATER: readonly AskedLater[] = [
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

/** Whether it vouches for itself. `checkIssued` alone denies it to what may not sign others. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  if (certificate.subject !== certificate.issuer) return false
  try {
    return certificate.verify(certificate.publicKey)
  } catch {
    // A key of a kind that OpenSSL does not know has proved nothing.
    return false
  }
}

export function damagedCertificate(what: string, path: string, how?: string): ProblemError {
  return new ProblemError('PEM_INVALID', damaged(what, how), path)
}

function damaged(what: string, how: string = 'it is no X.509 certificate in DER'): string {
  return `${what} is damaged: ${how}`
}

/** What the blocks of a file are, in words, for a message about the wrong file. */
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
