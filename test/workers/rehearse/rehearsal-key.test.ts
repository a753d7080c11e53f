import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import type { Identity } from '../../../src/workers/judge/identity.js'
import { rehearsalKeyOf, servedRehearsalKeyOf } from '../../../src/workers/rehearse/rehearsal-key.js'
import { createAuthority, type Leaf, selfSigned } from '../../../support/material/certificates.js'

const root = createAuthority()
const authority = createAuthority({ parent: root })
const served = pairOf(authority.issue())
const notAfter = new Date(Date.now() + 5_000_000)

test('a pair with other names, other dates and another key has the same rehearsal key', () => {
  const others = [authority.issue(), authority.issue({ names: ['other.test'], notAfter, serial: '01' })]
  for (const leaf of others) assert.equal(rehearsalKeyOf(pairOf(leaf)), rehearsalKeyOf(served))
})

test('a renewal must also have the names of the served pair', () => {
  const rehearsalKey = servedRehearsalKeyOf([served], null, false)
  assert.equal(
    servedRehearsalKeyOf([pairOf(authority.issue({ notAfter, serial: '01' }))], null, false),
    rehearsalKey,
  )
  for (const names of [
    { names: ['other.test'] },
    { names: ['localhost', 'b.test'] },
    { commonName: 'b.test' },
  ])
    assert.notEqual(servedRehearsalKeyOf([pairOf(authority.issue(names))], null, false), rehearsalKey)
})

test('every property that can exclude a pair from a TLS version changes the rehearsal key', () => {
  const leaf = authority.issue()
  const others = {
    'key type': [pairOf(authority.issue({ keyType: 'rsa-2048' }))],
    curve: [pairOf(authority.issue({ keyType: 'ec-p384' }))],
    'signature of the leaf': [pairOf(authority.issue({ signatureHash: 'sha384' }))],
    'key usage': [pairOf(authority.issue({ isCa: true }))],
    purpose: [pairOf(authority.issue({ extendedKeyUsage: 'server' }))],
    'one extension fewer': [pairOf(authority.issue({ extendedKeyUsage: 'none' }))],
    issuer: [pairOf(createAuthority({ parent: root }).issue())],
    'no issuer': [pairOf(selfSigned())],
    'number of pairs': [pairOf(leaf), pairOf(leaf)],
  }
  const rehearsalKeys = Object.values(others).map((pairs) => servedRehearsalKeyOf(pairs, null, false))
  rehearsalKeys.push(
    servedRehearsalKeyOf([served], null, false),
    servedRehearsalKeyOf([served], 'some parameters', false),
  )
  // Not rehearsed with a server that requests client certificates.
  rehearsalKeys.push(servedRehearsalKeyOf([served], null, true))
  assert.equal(new Set(rehearsalKeys).size, rehearsalKeys.length)
})

function pairOf({ chainPem }: Pick<Leaf, 'chainPem'>): Identity {
  const chain = chainPem.split(/(?<=-----END CERTIFICATE-----\n)/).map((pem) => new X509Certificate(pem))
  return { chain } as unknown as Identity
}
