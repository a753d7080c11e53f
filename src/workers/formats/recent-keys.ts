import { createPublicKey } from 'node:crypto'

import { element } from './ber.js'
import { BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE } from './der-tags.js'

/*
 * Key kinds introduced with OpenSSL 3.5 (FIPS 204 and 205). Measured: Node 20.20 (OpenSSL 3.0) reads neither such keys
 * nor certificates' public keys. Node 22.23 (OpenSSL 3.5) serves ML-DSA in TLS 1.3, but `crypto.sign` does not support
 * it, and `asymmetricKeyType` is `undefined`. Node 24 and 26 support it fully.
 */

const ARC = '2.16.840.1.101.3.4.3.'

/** ML-DSA-44, -65 and -87, the twelve parameter sets of SLH-DSA, by object identifier (RFC 9881, RFC 9909). */
const NAMES: Readonly<Record<string, string>> = {
  [`${ARC}17`]: 'ML-DSA-44',
  [`${ARC}18`]: 'ML-DSA-65',
  [`${ARC}19`]: 'ML-DSA-87',
  ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${ARC}${20 + i}`, 'SLH-DSA'])),
}

/** The name of a key kind introduced with OpenSSL 3.5; `undefined` for any other. */
export function recentKeyName(algorithm: string): string | undefined {
  return NAMES[algorithm]
}

/** Why this Node's OpenSSL cannot read a key of this algorithm; `null` if it can or the kind is older. */
export function whyTooRecent(algorithm: string): string | null {
  const name = recentKeyName(algorithm)
  if (name === undefined) return null
  isRead ??= supportsRecentKeys()
  if (isRead) return null
  const { node, openssl } = process.versions
  return `${name} keys need OpenSSL 3.5, and Node ${node} has OpenSSL ${openssl}; use Node 24 or later`
}

let isRead: boolean | undefined

/** Any 1,312 bytes are a valid ML-DSA-44 public key (FIPS 204, table 2). */
function supportsRecentKeys(): boolean {
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
