import type { KeyObject } from 'node:crypto'

import { keyTypeOf } from './facts.js'

/**
 * Bits of an RSA or DSA modulus. A signature with 16,384 bits holds the event loop for 0.4 s in each handshake (Node 20,
 * a 2-core VM); with 8,192 bits it is 60 ms.
 */
const MOST_BITS = 8_192

/** Bits of an RSA public exponent: what OpenSSL allows with moduli above 3,072 bits (`OPENSSL_RSA_MAX_PUBEXP_BITS`). */
const MOST_EXPONENT_BITS = 64

/** What about a key makes each handshake with it expensive, in words; `null` for a usual key. */
export function whyTooLarge(key: KeyObject): string | null {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength > MOST_BITS) return `a key of ${keyTypeOf(key)} bits, more than ${MOST_BITS}`
  if (publicExponent < 1n << BigInt(MOST_EXPONENT_BITS)) return null
  return `an RSA key with a public exponent of more than ${MOST_EXPONENT_BITS} bits`
}
