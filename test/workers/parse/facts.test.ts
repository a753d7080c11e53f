import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import { oneLine } from '../../../src/workers/base/short-text.js'
import { factsOf, keyTypeOf, namesOf, publicKeyOf } from '../../../src/workers/parse/facts.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { keyPair } from '../../../support/material/keys.js'

const authority = createAuthority({ name: 'The issuer' })

test('facts of a chain are those of its leaf, and the first expiry', () => {
  const notBefore = new Date('2026-01-02T03:04:05Z')
  const notAfter = new Date('2046-01-02T03:04:05Z')
  const leaf = authority.issue({ names: ['a.test'], ips: ['192.0.2.1'], notBefore, notAfter })
  const chain = [leaf, authority].map(({ certPem }) => new X509Certificate(certPem))
  assert.deepEqual(factsOf(chain), {
    subject: 'CN=a.test',
    issuer: 'CN=The issuer',
    names: ['a.test', '192.0.2.1'],
    serial: leaf.serial,
    fingerprint256: leaf.fingerprint256,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    chain: [
      {
        subject: 'CN=The issuer',
        fingerprint256: authority.fingerprint256,
        notBefore: authority.notBefore.toISOString(),
        notAfter: authority.notAfter.toISOString(),
        needed: true,
      },
    ],
    chainNotAfter: authority.notAfter.toISOString(),
    keyType: 'EC prime256v1',
  })
})

test('dates after 2050, which have another encoding, are read correctly', () => {
  const notAfter = new Date('2051-02-03T04:05:06Z')
  assert.equal(factsOf([parsed(authority.issue({ notAfter }))]).notAfter, notAfter.toISOString())
})

test('names of every kind are listed, DNS names and addresses in lower case, and each with its kind', () => {
  const leaf = authority.issue({
    names: ['A.Test', '*.b.test'],
    ips: ['192.0.2.1', '2001:db8::1'],
    uris: ['spiffe://c.test/x, DNS:d.test'],
  })
  assert.deepEqual(namesOf(parsed(leaf)), [
    'a.test',
    '*.b.test',
    'spiffe://c.test/x, DNS:d.test',
    '192.0.2.1',
    '2001:db8:0:0:0:0:0:1',
  ])
})

test('a certificate without names has none', () => {
  assert.deepEqual(namesOf(parsed(authority.issue({ names: [], commonName: 'a.test' }))), [])
})

test('a name is one line, and its control characters are escaped', () => {
  assert.equal(oneLine('C=FR\nO=Zoë\nCN=a.test\n'), 'C=FR, O=Zoë, CN=a.test')
  assert.equal(oneLine('CN=a\u001b[31m\r\u0085b'), 'CN=a [31m  b')
  assert.equal(oneLine(undefined), '')
  assert.equal(factsOf([parsed(authority.issue({ commonName: '' }))]).subject, '')
})

test('key types are given with their curve or size', () => {
  const types = ['ec', 'ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const
  assert.deepEqual(
    types.map((type) => keyTypeOf(keyPair(type).publicKey)),
    ['EC prime256v1', 'EC secp384r1', 'RSA 2048', 'RSA-PSS 2048', 'ED25519'],
  )
})

test('a key of a type that OpenSSL does not know gives no type', () => {
  const { certDer } = createAuthority({ keyType: 'ed25519' })
  const unknownKind = Buffer.from(certDer.toString('hex').replaceAll('06032b6570', '06032b657f'), 'hex')
  assert.equal(publicKeyOf(new X509Certificate(pem('CERTIFICATE', unknownKind))), null)
  assert.ok(publicKeyOf(parsed(authority))?.equals(authority.publicKey))
})

function parsed({ certPem }: { readonly certPem: string }): X509Certificate {
  return new X509Certificate(certPem)
}
