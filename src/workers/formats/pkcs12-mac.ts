import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

import { childOf, childrenOf, type DerNode, expectTag } from './der.js'
import { INTEGER, OCTET_STRING, SEQUENCE } from './der-tags.js'
import type { DerivationBudget } from './derivation-budget.js'
import {
  type Derivation,
  PBKDF2,
  PRFS,
  pbkdf2Derivation,
  pbkdf2KeyBytes,
  pkcs12Derivation,
} from './encryption.js'
import {
  algorithmOf,
  bytesOf,
  EncryptionError,
  MAX_SALT_BYTES,
  notAvailable,
  numberOf,
} from './encryption-fields.js'
import type { KdfDigest } from './pkcs12-kdf.js'

/* The MAC of a PKCS#12 file, which proves that the passphrase is the one used to write the file. */

/** MAC parameters as read, before any derivation. */
export interface Mac {
  readonly derivation: Derivation
  readonly digest: string
  readonly expected: Buffer
}

const PBMAC1 = '1.2.840.113549.1.5.14'

/** MacData ::= SEQUENCE { DigestInfo { algorithm, digest OCTET STRING }, macSalt, iterations DEFAULT 1 }. */
export function macOf(der: Uint8Array, node: DerNode): Mac {
  const fields = childrenOf(der, node)
  const info = childrenOf(der, childOf(der, fields, 0, SEQUENCE))
  const algorithm = algorithmOf(der, childOf(der, info, 0, SEQUENCE))
  const expected = Buffer.from(bytesOf(der, childOf(der, info, 1, OCTET_STRING), 64))
  if (algorithm.id === PBMAC1) return { ...pbmac1(der, algorithm.parameters), expected }
  const digest = DIGESTS[algorithm.id]
  if (!digest) throw new EncryptionError('unsupported', `its MAC ${algorithm.id} is not supported`)
  assertAvailable(digest)
  const salt = bytesOf(der, childOf(der, fields, 1, OCTET_STRING), MAX_SALT_BYTES)
  const iterations = fields[2] ? numberOf(der, childOf(der, fields, 2, INTEGER)) : 1
  if (fields.length > 3) throw new RangeError('no MAC')
  return {
    derivation: pkcs12Derivation(digest, salt, iterations, 3, digest.bytes),
    digest: digest.name,
    expected,
  }
}

/** PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme } (RFC 9579). */
function pbmac1(der: Uint8Array, parameters: DerNode | undefined): Omit<Mac, 'expected'> {
  const fields = childrenOf(der, expectTag(der, parameters, SEQUENCE))
  const kdf = algorithmOf(der, childOf(der, fields, 0, SEQUENCE))
  const scheme = PRFS[algorithmOf(der, childOf(der, fields, 1, SEQUENCE)).id]
  if (kdf.id !== PBKDF2 || !scheme) {
    throw new EncryptionError('unsupported', 'its MAC is not supported')
  }
  const keyBytes = pbkdf2KeyBytes(der, kdf.parameters) ?? scheme.bytes
  if (keyBytes < MIN_MAC_KEY_BYTES || keyBytes > MAX_MAC_KEY_BYTES) {
    throw new EncryptionError('unsupported', `its MAC has a key of ${keyBytes} bytes, which is not supported`)
  }
  return { derivation: pbkdf2Derivation(der, kdf.parameters, keyBytes), digest: scheme.name }
}

/** Limits of OpenSSL 3.4 and later (`PKCS12_PBMAC1`): 160 bits (RFC 9579, section 6) to the longest digest. */
const MIN_MAC_KEY_BYTES = 20
const MAX_MAC_KEY_BYTES = 64

/**
 * The passphrase variant that matches the MAC. Without a passphrase, programs hash nothing or an empty text: OpenSSL
 * tries both, in this order.
 *
 * @throws EncryptionError
 * @throws TooCostly when the budget does not allow the derivation.
 */
export function verifiedPassphrase(
  { derivation, digest, expected }: Mac,
  content: Uint8Array,
  passphrase: Uint8Array | null,
  budget: DerivationBudget,
): Uint8Array | null {
  const candidates = passphrase?.length ? [passphrase] : [null, Buffer.alloc(0)]
  for (const candidate of candidates) {
    budget.spend(derivation)
    const key = derivation.derive(candidate)
    const mac = createHmac(digest, key).update(content).digest()
    key.fill(0)
    if (mac.length === expected.length && timingSafeEqual(mac, expected)) return candidate
  }
  throw new EncryptionError('passphrase', 'the passphrase does not open it')
}

/** Digests of the MAC. OpenSSL 3, GnuTLS and Java now write digests other than SHA-1. */
const DIGESTS: Readonly<Record<string, KdfDigest>> = {
  '1.2.840.113549.2.4': { name: 'md4', bytes: 16, blockBytes: 64 },
  '1.2.840.113549.2.5': { name: 'md5', bytes: 16, blockBytes: 64 },
  '1.3.14.3.2.26': { name: 'sha1', bytes: 20, blockBytes: 64 },
  '1.3.36.3.2.1': { name: 'ripemd160', bytes: 20, blockBytes: 64 },
  '1.0.10118.3.0.55': { name: 'whirlpool', bytes: 64, blockBytes: 64 },
  '1.2.156.10197.1.401': { name: 'sm3', bytes: 32, blockBytes: 64 },
  '1.3.6.1.4.1.1722.12.2.1.16': { name: 'blake2b512', bytes: 64, blockBytes: 128 },
  '1.3.6.1.4.1.1722.12.2.2.8': { name: 'blake2s256', bytes: 32, blockBytes: 64 },
  '2.16.840.1.101.3.4.2.4': { name: 'sha224', bytes: 28, blockBytes: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'sha256', bytes: 32, blockBytes: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', bytes: 48, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', bytes: 64, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.5': { name: 'sha512-224', bytes: 28, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.6': { name: 'sha512-256', bytes: 32, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.7': { name: 'sha3-224', bytes: 28, blockBytes: 144 },
  '2.16.840.1.101.3.4.2.8': { name: 'sha3-256', bytes: 32, blockBytes: 136 },
  '2.16.840.1.101.3.4.2.9': { name: 'sha3-384', bytes: 48, blockBytes: 104 },
  '2.16.840.1.101.3.4.2.10': { name: 'sha3-512', bytes: 64, blockBytes: 72 },
}

/** Digests of OpenSSL's legacy provider. */
const LEGACY_DIGESTS = new Set(['md4', 'whirlpool'])

function assertAvailable({ name }: KdfDigest): void {
  try {
    createHash(name)
  } catch {
    throw notAvailable(`its MAC is made with ${name}`, LEGACY_DIGESTS.has(name))
  }
}
