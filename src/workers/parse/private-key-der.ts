import { assertDer, childOf, childrenOf, type DerNode, expectTag, naturalOf, nodeAt } from '../formats/der.js'
import { CONTEXT_0, INTEGER, OCTET_STRING, SEQUENCE } from '../formats/der-tags.js'
import { ecKind, isEc, isRsa, type KeyKind, keyKindOf, whyNotForTls } from '../formats/key-kinds.js'

/*
 * The structure of unencrypted private keys, checked before native code computes with them: OpenSSL accepts numbers of
 * any size, and a signature with a million-bit exponent takes hours.
 */

/**
 * Why native code must not receive a PKCS#8 key (PrivateKeyInfo, RFC 5958, section 2); `null` if it may.
 *
 * @throws RangeError if it is not such a key or not DER.
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

/** The same for traditional formats: RSAPrivateKey (RFC 8017, appendix A.1.2) and ECPrivateKey (RFC 5915). */
export function whyTraditionalNotUsable(der: Uint8Array, label: string): string | null {
  if (label === 'RSA PRIVATE KEY') {
    assertSaneRsa(der)
    return null
  }
  const parameters = childrenOf(der, assertDer(der)).find(({ tag }) => tag === CONTEXT_0)
  const [curve] = parameters ? childrenOf(der, parameters) : []
  const why = whyNotForTls(ecKind(der, curve))
  if (why === null) assertSaneEc(der)
  return why
}

function assertSane(key: Uint8Array, kind: KeyKind): void {
  if (isRsa(kind)) assertSaneRsa(key)
  if (isEc(kind)) assertSaneEc(key)
}

/** OpenSSL verifies no signature of a larger key (`OPENSSL_RSA_MAX_MODULUS_BITS`). */
const MAX_RSA_BITS = 16_384

/**
 * RSAPrivateKey ::= SEQUENCE { version, n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p, otherPrimeInfos OPTIONAL
 * }. The primes must multiply to n, and no number may exceed its modulus.
 */
function assertSaneRsa(der: Uint8Array): void {
  const fields = childrenOf(der, assertDer(der))
  const others = fields[9] ? childrenOf(der, expectTag(der, fields[9], SEQUENCE)) : []
  if (fields.length < 9 || fields.length > 10 || others.length > 3) throw new RangeError('not an RSA key')
  const at = (nodes: readonly DerNode[], i: number) => rsaNumber(der, childOf(der, nodes, i, INTEGER))
  const [n, e, d] = [at(fields, 1), at(fields, 2), at(fields, 3)]
  const [p, q, dp, dq, qInverse] = [at(fields, 4), at(fields, 5), at(fields, 6), at(fields, 7), at(fields, 8)]
  let product = p * q
  for (const info of others) {
    const numbers = childrenOf(der, info)
    const [r, dr, inverse] = [at(numbers, 0), at(numbers, 1), at(numbers, 2)]
    if (dr >= r || inverse >= product) throw new RangeError('not an RSA key')
    product *= r
  }
  const isSane = product === n && e < n && d < n && dp < p && dq < q && qInverse < p
  if (!isSane) throw new RangeError('not an RSA key')
}

/** Size of the order of the largest curve with a NIST name (sect571r1). */
const MAX_EC_BYTES = 72

/** ECPrivateKey ::= SEQUENCE { version, privateKey OCTET STRING, ... }. */
function assertSaneEc(der: Uint8Array): void {
  const secret = childOf(der, childrenOf(der, assertDer(der)), 1, OCTET_STRING)
  if (secret.to - secret.from > MAX_EC_BYTES) throw new RangeError('not an EC key')
}

function rsaNumber(der: Uint8Array, node: DerNode): bigint {
  if (node.to - node.from > MAX_RSA_BITS / 8 + 1) throw new RangeError('number is too large')
  return naturalOf(der, node)
}

/** Whether bytes look like a PKCS#8 key, which decryption with a wrong passphrase does not produce. */
export function looksLikePkcs8(der: Uint8Array): boolean {
  try {
    const fields = childrenOf(der, nodeAt(der, 0))
    return fields[0]?.tag === INTEGER && fields[1]?.tag === SEQUENCE && fields[2]?.tag === OCTET_STRING
  } catch {
    return false
  }
}
