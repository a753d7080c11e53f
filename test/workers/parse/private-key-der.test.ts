import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'

import { whyNotUsable } from '../../../src/workers/parse/private-key-der.js'
import { integer, nothing, octets, oid, sequence } from '../../../support/material/der.js'
import { keyPair } from '../../../support/material/keys.js'

const rsaId = sequence(oid('1.2.840.113549.1.1.1'), nothing())
const huge = (1n << 1_000_000n) + 1n

for (const type of ['ec', 'ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const) {
  test(`a key of ${type} may be used`, () => {
    assert.equal(whyNotUsable(pkcs8(keyPair(type).privateKey)), null)
  })
}

for (const [what, change] of [
  ['an exponent of a million bits', (fields) => fields.with(5, huge)],
  ['a private exponent of a million bits', (fields) => fields.with(2, huge)],
  ['a public exponent of a million bits', (fields) => fields.with(1, huge)],
  ['a prime of a million bits', (fields) => fields.with(3, huge)],
  ['a modulus of a million bits', (fields) => fields.with(0, huge)],
  ['primes whose product is not the modulus', (fields) => fields.with(3, (fields[3] as bigint) + 2n)],
  ['an exponent as large as its prime', (fields) => fields.with(6, fields[4] as bigint)],
] as [string, (fields: bigint[]) => bigint[]][]) {
  test(`an RSA key with ${what} is refused before anything is computed with it`, () => {
    const key = sequence(
      integer(0),
      rsaId,
      octets(sequence(integer(0), ...change(rsaNumbers()).map(integer))),
    )
    assert.throws(() => whyNotUsable(key), RangeError)
  })
}

test('the RSA key that these are derived from may be used', () => {
  const key = sequence(integer(0), rsaId, octets(sequence(integer(0), ...rsaNumbers().map(integer))))
  assert.equal(whyNotUsable(key), null)
})

test('an EC key with a secret of a megabyte is refused', () => {
  const algorithm = sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'))
  const key = sequence(integer(0), algorithm, octets(sequence(integer(1), octets(Buffer.alloc(2 ** 20, 1)))))
  assert.throws(() => whyNotUsable(key), RangeError)
})

for (const type of ['x25519', 'x448'] as const) {
  test(`a key of ${type} is named and refused`, () => {
    const { privateKey } = generateKeyPairSync(type as 'x25519')
    assert.match(whyNotUsable(pkcs8(privateKey)) ?? '', new RegExp(type, 'i'))
  })
}

function pkcs8(key: ReturnType<typeof keyPair>['privateKey']): Buffer {
  return key.export({ type: 'pkcs8', format: 'der' })
}

/** n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p. */
function rsaNumbers(): bigint[] {
  const jwk = keyPair('rsa-2048').privateKey.export({ format: 'jwk' })
  return [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map((text) =>
    BigInt(`0x${Buffer.from(text as string, 'base64url').toString('hex')}`),
  )
}
