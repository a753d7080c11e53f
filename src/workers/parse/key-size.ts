import type { KeyObject } from 'node:crypto'

import { keyTypeOf } from './facts.js'

/**
 * Bits of an RSA or DSA modulus. A 16,384-bit signature blocks the event loop for 0.4 s per handshake (Node 20, a
 * 2-core VM), an 8,192-bit one for 60 ms.
 */
const MAX_BITS = 8_192

/** Bits of an RSA public exponent: OpenSSL's limit for moduli above 3,072 bits (`OPENSSL_RSA_MAX_PUBEXP_BITS`). */
const MAX_EXPONENT_BITS = 64

/** Why a key makes each handshake expensive, in words; `null` for an ordinary key. */
export function whyTooLarge(key: KeyObject): string | null {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength > MAX_BITS) return `a key of ${keyTypeOf(key)} bits, more than ${MAX_BITS}`
  if (publicExponent < 1n << BigInt(MAX_EXPONENT_BITS)) return null
  return `an RSA key with a public exponent of more than ${MAX_EXPONENT_BITS} bits`
}
