import assert from 'node:assert/strict'
import { test } from 'node:test'

import { contentOf } from '../../../src/workers/formats/der.js'
import {
  extensionsOf,
  issuerOf,
  nameEntryBytes,
  signatureOid,
  subjectOf,
} from '../../../src/workers/formats/x509.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { integer, sequence } from '../../../support/material/der.js'
import { distinguishedName } from '../../../support/material/x509.js'

const authority = createAuthority({ name: 'The issuer' })

test('the issuer of one certificate can be compared with the subject of another', () => {
  const { certDer } = authority.issue({ commonName: 'a.test' })
  assert.equal(issuerOf(certDer), subjectOf(authority.certDer))
  assert.notEqual(subjectOf(certDer), issuerOf(certDer))
})

test('a version 1 certificate, which has no version field, is read too', () => {
  const algorithm = sequence(Buffer.from('06082a8648ce3d040302', 'hex'))
  const [issuer, subject] = [distinguishedName('issuer'), distinguishedName('subject')]
  const fields = [integer(1), algorithm, issuer, sequence(), subject, sequence()]
  const der = sequence(sequence(...fields), algorithm)
  assert.equal(subjectOf(der), subject.subarray(2).toString('base64'))
  assert.equal(issuerOf(der), issuer.subarray(2).toString('base64'))
})

for (const length of [0, 1, 100, 110, 111, 112, 120, 240, 255, 300]) {
  test(`a subject of ${length} letters costs the size of its DER, and two bytes of length`, () => {
    const name = 'x'.repeat(length)
    const subject = subjectOf(createAuthority({ name }).certDer)
    assert.equal(nameEntryBytes(subject), 2 + distinguishedName(name).length)
  })
}

test('the signature algorithm is given by its object identifier', () => {
  assert.equal(signatureOid(authority.issue().certDer), '1.2.840.10045.4.3.2')
  assert.equal(signatureOid(authority.issue({ signatureHash: 'sha1' }).certDer), '1.2.840.10045.4.1')
  assert.equal(signatureOid(createAuthority({ keyType: 'rsa-2048' }).certDer), '1.2.840.113549.1.1.11')
})

test('extensions are read in their order, with their critical flag', () => {
  const { certDer } = authority.issue({ extendedKeyUsage: 'none' })
  const read = extensionsOf(certDer).map(({ oid, critical }) => [oid, critical])
  assert.deepEqual(read, [
    ['2.5.29.19', true],
    ['2.5.29.15', true],
    ['2.5.29.17', false],
    ['2.5.29.14', false],
    ['2.5.29.35', false],
  ])
  const usage = extensionsOf(certDer).find(({ oid }) => oid === '2.5.29.15')
  assert.equal(usage && contentOf(certDer, usage.value).toString('hex'), '03020780')
})

for (const [what, der] of [
  ['nothing', Buffer.alloc(0)],
  ['an empty sequence', sequence()],
  ['a sequence with one element', sequence(sequence())],
  ['a certificate without a subject', sequence(sequence(integer(1), sequence(), sequence()), sequence())],
  [
    'a certificate without a signature',
    sequence(sequence(integer(1), sequence(), sequence(), sequence(), sequence())),
  ],
] as const) {
  test(`${what} is not readable`, () => {
    for (const read of [issuerOf, subjectOf, signatureOid, extensionsOf]) {
      assert.throws(() => read(der), RangeError)
    }
  })
}
