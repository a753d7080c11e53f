import type { KeyObject } from 'node:crypto'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'

import { signCertificate } from './certificate.js'
import type { SubjectNames } from './extensions.js'
import { authorityExtensions, leafExtensions } from './extensions.js'

/** A certificate and its key as PEM; the key is plain PKCS#8. */
export interface PemPair {
  readonly certPem: string
  readonly keyPem: string
}

export interface DevelopmentCertificateOptions extends SubjectNames {
  readonly days: number
}

/** The common name of every development CA. */
export const authorityName = 'certswap development CA'

/** A new root for this machine. It may sign leaves only, so that no leaf key makes further certificates. */
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

/** A server certificate with a key of its own. The leaf is the whole chain: a root is never sent. */
export function issueDevelopmentCertificate(
  authority: PemPair,
  options: DevelopmentCertificateOptions,
): PemPair {
  const key = newKey()
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

function pkcs8Of(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
