import { assertDer, childOf, childrenOf, type DerNode, nodeAt } from './der.js'
import { curveOf, ecKind, isEc, isRsa, type KeyKind, keyKindOf, whyNotForTls } from './key-kinds.js'

/*
 * The structure of unencrypted private keys, read before native code computes with them: OpenSSL takes numbers of any
 * size from the file, and a signature with an exponent of a million bits takes hours.
 */

/**
 * Why native code must not see a PKCS#8 key (PrivateKeyInfo, RFC 5958, section 2); `null` for one that it may.
 *
 * @throws RangeError when it is no such key, or not DER.
 */
export function whyNotUsable(der: Uint8Array): string | null {
  const fields = childrenOf(der, assertDer(der))
  childOf(der, fields, 0, INTEGER)
  const kind = keyKindOf(der, childOf(der, fields, 1, SEQUENCE))
  const key = childOf(der, fields, 2, OCTET_STRING)
  const why = whyNotForTls(kind)
  if (why !== null) return why
  assertSane(der.subarray(key.from, key.to), kind)
  return null
}

/** The same for the traditional forms: RSAPrivateKey (RFC 8017, appendix A.1.2) and ECPrivateKey (RFC 5915). */
export function whyTraditionalNotUsable(der: Uint8Array, label: string): string | null {
  if (label === 'RSA PRIVATE KEY') {
    assertSaneRsa(der)
    return null
  }
  const parameters = childrenOf(der, assertDer(der)).find(({ tag }) => tag === PARAMETERS)
  const [curve] = parameters ? childrenOf(der, parameters) : []
  const why = whyNotForTls(ecKind(curveOf(der, curve)))
  if (why === null) assertSaneEc(der)
  return why
}

function assertSane(key: Uint8Array, kind: KeyKind): void {
  if (isRsa(kind)) assertSaneRsa(key)
  if (isEc(kind)) assertSaneEc(key)
}

/** OpenSSL verifies no signature of a longer key (`OPENSSL_RSA_MAX_MODULUS_BITS`). */
const MOST_RSA_BITS = 16_384

/**
 * RSAPrivateKey ::= SEQUENCE { version, n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p, otherPrimeInfos OPTIONAL }.
 * The primes must multiply to n, and nothing may be larger than what it is reduced by.
 */
function assertSaneRsa(der: Uint8Array): void {
  const fields = childrenOf(der, assertDer(der))
  const others = fields[9] ? childrenOf(der, childOf(der, fields, 9, SEQUENCE)) : []
  if (fields.length < 9 || fields.length > 10 || others.length > 3) throw new RangeError('no RSA key')
  const at = (nodes: readonly DerNode[], i: number) => naturalNumber(der, childOf(der, nodes, i, INTEGER))
  const [n, e, d, p, q, dp, dq, qInverse] = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => at(fields, i)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  let product = p * q
  for (const info of others) {
    const numbers = childrenOf(der, info)
    const [r, dr, inverse] = [at(numbers, 0), at(numbers, 1), at(numbers, 2)]
    if (dr >= r || inverse >= product) throw new RangeError('no RSA key')
    product *= r
  }
  const isSane = product === n && e < n && d < n && dp < p && dq < q && qInverse < p
  if (!isSane) throw new RangeError('no RSA key')
}

/** Bytes of the order of the largest curve with a NIST name (sect571r1). */
const MOST_EC_BYTES = 72

/** ECPrivateKey ::= SEQUENCE { version, privateKey OCTET STRING, ... }. */
function assertSaneEc(der: Uint8Array): void {
  const secret = childOf(der, childrenOf(der, assertDer(der)), 1, OCTET_STRING)
  if (secret.to - secret.from > MOST_EC_BYTES) throw new RangeError('no EC key')
}

function naturalNumber(der: Uint8Array, node: DerNode): bigint {
  const bytes = der.subarray(node.from, node.to)
  if (bytes.length === 0 || (bytes[0] as number) >= 0x80) throw new RangeError('negative number')
  if (bytes.length > MOST_RSA_BITS / 8 + 1) throw new RangeError('number is too large')
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`)
}

/** Whether bytes have the form of a PKCS#8 key, which a wrong passphrase does not leave behind. */
export function looksLikePkcs8(der: Uint8Array): boolean {
  try {
    const fields = childrenOf(der, nodeAt(der, 0))
    return fields[0]?.tag === INTEGER && fields[1]?.tag === SEQUENCE && fields[2]?.tag === OCTET_STRING
  } catch {
    return false
  }
}

const INTEGER = 0x02
const OCTET_STRING = 0x04
const SEQUENCE = 0x30
const PARAMETERS = 0xa0
