import { X509Certificate } from 'node:crypto'

import type { PemBlock } from './pem.js'
import { ProblemError } from './problem.js'
import { assertReadable } from './x509.js'

/** Labels that hold one certificate (RFC 7468, section 5.1; the last is OpenSSL's, with trust settings behind it). */
const LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'X.509 CERTIFICATE', 'TRUSTED CERTIFICATE'])

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
    throw new ProblemError('CERT_MISSING', `${path} holds no certificate, but ${describe(blocks)}`, path)
  }
  return found.map((block, i) =>
    parseCertificate(block.pem, `certificate ${i + 1} of ${found.length} in ${path}`, path),
  )
}

/** @throws ProblemError `PEM_INVALID` */
export function parseCertificate(pem: string, what: string, path: string): X509Certificate {
  try {
    const certificate = new X509Certificate(pem)
    assertReadable(certificate.raw)
    return certificate
  } catch {
    throw new ProblemError('PEM_INVALID', `${what} is damaged: it is no X.509 certificate`, path)
  }
}

/** What the blocks of a file are, in words, for the one who put the wrong file there. */
export function describe(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0) return 'no PEM block at all'
  const kinds = new Set(blocks.map(({ label }) => kindOf(label)))
  return [...kinds].join(' and ')
}

function kindOf(label: string): string {
  if (LABELS.has(label)) return 'a certificate'
  if (label.endsWith('PRIVATE KEY')) return 'a private key'
  if (label.endsWith('CERTIFICATE REQUEST')) return 'a certificate request (CSR)'
  if (label.endsWith('PUBLIC KEY')) return 'a public key'
  if (label === 'X509 CRL') return 'a revocation list'
  return `a block of "${label}"`
}
