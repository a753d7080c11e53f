import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import type { Identity } from '../../src/workers/identity.js'
import { likenessOf } from '../../src/workers/likeness.js'
import { createAuthority, type Leaf, selfSigned } from '../support/certificates.js'

const root = createAuthority()
const authority = createAuthority({ parent: root })
const served = likenessOf([pairOf(authority.issue())], null)

test('a renewal with other names, dates and another key is like the one before', () => {
  const notAfter = new Date(Date.now() + 5_000_000)
  const renewals = [authority.issue(), authority.issue({ names: ['other.test'], notAfter, serial: '01' })]
  for (const leaf of renewals) assert.equal(likenessOf([pairOf(leaf)], null), served)
})

test('what can keep a pair from a version of TLS makes another likeness', () => {
  const leaf = authority.issue()
  const others = {
    'key type': [pairOf(authority.issue({ keyType: 'rsa-2048' }))],
    curve: [pairOf(authority.issue({ keyType: 'ec-p384' }))],
    'signature of the leaf': [pairOf(authority.issue({ signatureHash: 'sha384' }))],
    'key usage': [pairOf(authority.issue({ isCa: true }))],
    issuer: [pairOf(createAuthority({ parent: root }).issue())],
    'no issuer': [pairOf(selfSigned())],
    'number of pairs': [pairOf(leaf), pairOf(leaf)],
  }
  const likenesses = Object.entries(others).map(([what, pairs]) => [what, likenessOf(pairs, null)] as const)
  likenesses.push(['parameters', likenessOf([pairOf(leaf)], 'some parameters')])
  assert.equal(new Set([served, ...likenesses.map(([, likeness]) => likeness)]).size, likenesses.length + 1)
})

function pairOf({ chainPem }: Pick<Leaf, 'chainPem'>): Identity {
  const chain = chainPem.split(/(?<=-----END CERTIFICATE-----\n)/).map((pem) => new X509Certificate(pem))
  return { chain } as unknown as Identity
}
