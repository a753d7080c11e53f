import type { KeyObject, X509Certificate } from 'node:crypto'

import { usableCertificate } from './certificates.js'
import { type DerivationBudget, TooCostly } from './derivation-budget.js'
import { EncryptionError } from './encryption.js'
import { toPem } from './pem.js'
import { type Bags, readBags } from './pkcs12-file.js'
import { keyFromEncrypted, keyFromPkcs8, type PrivateKey } from './private-key.js'
import { ProblemError } from './problem.js'
import { reading } from './reading.js'

/** What a PKCS#12 file holds. */
export interface Pkcs12Content {
  readonly certificates: readonly X509Certificate[]
  readonly keys: readonly PrivateKey[]
}

/**
 * Takes a PKCS#12 file apart, as Node itself cannot. OpenSSL sees the certificates and the decrypted keys alone: it would
 * derive keys from the passphrase as often as the file says.
 *
 * @throws ProblemError `PFX_INVALID`, `KEY_PASSPHRASE_REQUIRED`, `KEY_PASSPHRASE_WRONG`, `KEY_INVALID`,
 *   `KEY_UNSUPPORTED` or `PEM_INVALID`.
 */
export function readPkcs12(
  bytes: Buffer,
  path: string,
  passphrase: Buffer | null,
  budget: DerivationBudget,
): Pkcs12Content {
  return reading('PFX_INVALID', damaged(path), path, () => {
    const bags = opened(bytes, path, passphrase, budget)
    const certificates = bags.certificates.map((der) =>
      usableCertificate(toPem('CERTIFICATE', der), `a certificate in ${path}`, path),
    )
    const keys = keysOf(bags, path, budget).map((object): PrivateKey => ({ object, plain: null }))
    if (certificates.length === 0 || keys.length === 0) {
      const message = `${path} holds no pair of a certificate and its private key`
      throw new ProblemError('PFX_INVALID', message, path)
    }
    // Bags come in any order; the leaf is the certificate that a key belongs to.
    const leaves = new Set(certificates.filter((certificate) => hasKey(certificate, keys)))
    certificates.sort((a, b) => Number(leaves.has(b)) - Number(leaves.has(a)))
    return { certificates, keys }
  })
}

function opened(bytes: Buffer, path: string, passphrase: Buffer | null, budget: DerivationBudget): Bags {
  try {
    return readBags(bytes, passphrase, budget)
  } catch (error) {
    if (error instanceof TooCostly) {
      throw new ProblemError('PFX_INVALID', `${path} cannot be opened: ${error.message}`, path)
    }
    if (!(error instanceof EncryptionError) || error.reason === 'damaged') {
      throw new ProblemError('PFX_INVALID', damaged(path), path)
    }
    if (error.reason === 'unsupported') throw unsupported(path, error.message)
    if (passphrase === null) {
      const required = `${path} is protected by a passphrase; set the option "passphrase"`
      throw new ProblemError('KEY_PASSPHRASE_REQUIRED', required, path)
    }
    throw new ProblemError('KEY_PASSPHRASE_WRONG', `the passphrase does not open ${path}`, path)
  }
}

function keysOf(bags: Bags, path: string, budget: DerivationBudget): KeyObject[] {
  try {
    return [
      ...bags.keys.map((der) => keyFromPkcs8(der, path)),
      ...bags.shroudedKeys.map((der) => keyFromEncrypted(der, path, bags.passphrase, budget)),
    ]
  } finally {
    for (const der of bags.keys) der.fill(0)
  }
}

function hasKey(certificate: X509Certificate, keys: readonly PrivateKey[]): boolean {
  return keys.some(({ object }) => certificate.checkPrivateKey(object))
}

function damaged(path: string): string {
  return `${path} is no PKCS#12 file, or it is damaged`
}

function unsupported(path: string, why: string): ProblemError {
  const message =
    `${path} cannot be opened: ${why}; write it again with: ` +
    `openssl pkcs12 -legacy -in ${path} -nodes | openssl pkcs12 -export -out NEW`
  return new ProblemError('PFX_INVALID', message, path)
}
