import type { KeyObject } from 'node:crypto'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'

import { signCertificate } from './certificate.js'
import type { SubjectNames } from './extensions.js'
import { authorityExtensions, leafExtensions } from './extensions.js'
import { DevelopmentIdentityError } from './identity-error.js'

/** A certificate and its key as PEM; the key is plain PKCS#8. */
export interface PemPair {
  readonly certPem: string
  readonly keyPem: string
}

/** The kind of the server's key; ML-DSA-65 needs Node 24.6 or later. */
export type DevelopmentKey = 'ecdsa' | 'ml-dsa'

export interface DevelopmentCertificateOptions extends SubjectNames {
  readonly days: number
}

/** The common name of every development CA. */
export const authorityName = 'certswap development CA'

/** A new root for this machine. It may only sign leaves, so that no leaf can issue further certificates. */
export function createDevelopmentAuthority(): PemPair {
  const key = newKey()
  const certPem = signCertificate({
    subject: authorityName,
    issuer: authorityName,
    key,
    issuerKey: key,
    days: 3650,
    extensions: authorityExtensions(key),
  })
  return { certPem, keyPem: pkcs8Of(key) }
}

/**
 * A server certificate with a new key. The chain consists of the leaf only: a root is not sent.
 *
 * @throws DevelopmentIdentityError `ML_DSA_UNSUPPORTED`
 */
export function issueDevelopmentCertificate(
  authority: PemPair,
  options: DevelopmentCertificateOptions,
  kind: DevelopmentKey = 'ecdsa',
): PemPair {
  const key = kind === 'ecdsa' ? newKey() : newMlDsaKey()
  const issuerKey = createPrivateKey(authority.keyPem)
  const certPem = signCertificate({
    subject: options.names[0] ?? options.ips[0] ?? 'certswap development certificate',
    issuer: authorityName,
    key,
    issuerKey,
    days: options.days,
    extensions: leafExtensions(key, issuerKey, options),
  })
  return { certPem, keyPem: pkcs8Of(key) }
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** The cast is needed because the types of Node 20 lack ML-DSA. */
function newMlDsaKey(): KeyObject {
  try {
    return generateKeyPairSync('ml-dsa-65' as 'ed25519').privateKey
  } catch (cause) {
    const { node, openssl } = process.versions
    const message = `Node ${node} with OpenSSL ${openssl} cannot make ML-DSA keys`
    throw new DevelopmentIdentityError('ML_DSA_UNSUPPORTED', message, { cause })
  }
}

function pkcs8Of(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
