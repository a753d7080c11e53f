import { createPublicKey } from 'node:crypto'

import { element } from './ber.js'
import { BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE } from './der-tags.js'

/*
 * Kinds of keys that came with OpenSSL 3.5 (FIPS 204 and 205). Measured: Node 20.20 (OpenSSL 3.0) reads neither a key nor the
 * public key of a certificate of these kinds. Node 22.23 (OpenSSL 3.5) serves ML-DSA in TLS 1.3, but `crypto.sign` does not
 * know it, and `asymmetricKeyType` is `undefined`. Node 24 and 26 know it everywhere.
 */

const ARC = '2.16.840.1.101.3.4.3.'

/** ML-DSA-44, -65 and -87, the twelve parameter sets of SLH-DSA, by object identifier (RFC 9881, RFC 9909). */
const NAMES: Readonly<Record<string, string>> = {
  [`${ARC}17`]: 'ML-DSA-44',
  [`${ARC}18`]: 'ML-DSA-65',
  [`${ARC}19`]: 'ML-DSA-87',
  ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${ARC}${20 + i}`, 'SLH-DSA'])),
}

/** The name of a kind of key that came with OpenSSL 3.5; `undefined` for any other. */
export function recentKeyName(algorithm: string): string | undefined {
  return NAMES[algorithm]
}

/** Why the OpenSSL of this Node cannot read a key of this algorithm; `null` if it can, or if the kind is an older one. */
export function whyTooRecent(algorithm: string): string | null {
  const name = recentKeyName(algorithm)
  if (name === undefined) return null
  isRead ??= readsRecentKeys()
  if (isRead) return null
  const { node, openssl } = process.versions
  return `${name} keys need OpenSSL 3.5, and Node ${node} has OpenSSL ${openssl}; use Node 24 or later`
}

let isRead: boolean | undefined

/** Any 1,312 bytes are a public key of ML-DSA-44 (FIPS 204, table 2). */
function readsRecentKeys(): boolean {
  const algorithm = element(SEQUENCE, [element(OBJECT_IDENTIFIER, [ML_DSA_44])])
  const key = element(SEQUENCE, [algorithm, element(BIT_STRING, [Buffer.alloc(1 + 1312)])])
  try {
    createPublicKey({ key, format: 'der', type: 'spki' })
    return true
  } catch {
    return false
  }
}

const ML_DSA_44 = Buffer.from('608648016503040311', 'hex')
