import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import type { ProblemCode } from '../../../src/workers/base/problem.js'
import { splitPem } from '../../../src/workers/formats/pem.js'
import {
  certificatesOf,
  describe,
  isSelfSigned,
  parseCertificate,
} from '../../../src/workers/parse/certificates.js'
import { createAuthority, selfSigned } from '../../../support/material/certificates.js'
import { pem } from '../../../support/material/der.js'
import { csr, publicKeyPem } from '../../../support/material/key-forms.js'
import { problemOf } from '../../../support/worker/problems.js'

const authority = createAuthority()
const leaf = authority.issue()

test('the certificates of a file are returned in their order, under each label that OpenSSL reads', () => {
  const labels = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']
  const text = labels.map((label) => pem(label, leaf.certDer)).join('') + leaf.keyPem + authority.certPem
  assert.deepEqual(
    certificatesIn(text).map(({ fingerprint256 }) => fingerprint256),
    [leaf.fingerprint256, leaf.fingerprint256, leaf.fingerprint256, authority.fingerprint256],
  )
})

/** The same certificate in BER: its outer length is indefinite. */
const inBer = Buffer.concat([
  Buffer.from([0x30, 0x80, 0x30, 0x80]),
  leaf.certDer.subarray(8, 8 + leaf.certDer.readUInt16BE(6)),
  Buffer.from([0, 0]),
  leaf.certDer.subarray(8 + leaf.certDer.readUInt16BE(6)),
  Buffer.from([0, 0]),
])

/** An Ed25519 certificate whose object identifier was changed into an unknown one. */
const unknownKind = Buffer.from(
  createAuthority({ keyType: 'ed25519' }).certDer.toString('hex').replaceAll('06032b6570', '06032b657f'),
  'hex',
)

const refused: [what: string, code: ProblemCode, text: string][] = [
  ['an empty file', 'CERT_MISSING', ''],
  ['a key', 'CERT_MISSING', leaf.keyPem],
  ['a request', 'CERT_MISSING', csr(leaf)],
  ['a revocation list', 'CERT_MISSING', authority.crl()],
  ['a public key', 'CERT_MISSING', publicKeyPem(leaf)],
  ['text', 'CERT_MISSING', 'ceci n’est pas un certificat'],
  ['a block of another kind', 'PEM_INVALID', pem('CERTIFICATE', Buffer.from('no certificate'))],
  ['a certificate without its last byte', 'PEM_INVALID', pem('CERTIFICATE', leaf.certDer.subarray(0, -1))],
  ['a certificate that is not DER inside', 'PEM_INVALID', pem('CERTIFICATE', inBer)],
  [
    'one damaged certificate among others',
    'PEM_INVALID',
    leaf.certPem + pem('CERTIFICATE', Buffer.alloc(9, 48)),
  ],
]

for (const [what, code, text] of refused) {
  test(`${what} is refused as ${code}, and the file is named`, () => {
    const problem = problemOf(() => certificatesIn(text))
    assert.deepEqual({ code: problem.code, path: problem.path }, { code, path: 'tls.crt' })
    assert.ok(problem.message.includes('tls.crt'))
  })
}

test('a damaged certificate is reported with its position', () => {
  const text = leaf.certPem + pem('CERTIFICATE', Buffer.alloc(9, 48))
  assert.match(problemOf(() => certificatesIn(text)).message, /certificate 2 of 2/)
  assert.match(problemOf(() => parseCertificate('', 'the anchor', 'ca.pem')).message, /the anchor/)
})

test('the content of a file is described in words, each kind once', () => {
  const words = (text: string) => describe(splitPem(Buffer.from(text), 'f'))
  assert.equal(words(''), 'no PEM block at all')
  assert.equal(words(leaf.keyPem + leaf.keyPem), 'a private key')
  assert.equal(words(leaf.certPem + leaf.keyPem), 'a certificate and a private key')
  assert.equal(words(authority.crl()), 'a revocation list')
  assert.equal(words(pem('DH PARAMETERS', Buffer.from('x'))), 'a block (DH PARAMETERS)')
})

function certificatesIn(text: string) {
  return certificatesOf(splitPem(Buffer.from(text), 'tls.crt'), 'tls.crt')
}

test('unknown labels are not repeated: they could contain anything', () => {
  assert.ok(!describe(splitPem(Buffer.from(pem('SECRET 123', Buffer.from('x'))), 'f')).includes('SECRET'))
})

test('a certificate with an unreadable key or date is refused', () => {
  const monthThirteen = leaf.certDer.toString('hex').replace(/(?<=170d.{4})3\d3\d/, '3133')
  for (const der of [unknownKind, Buffer.from(monthThirteen, 'hex')]) {
    assert.equal(problemOf(() => certificatesIn(pem('CERTIFICATE', der))).code, 'PEM_INVALID')
  }
})

test('a self-signed certificate is recognized as such, whatever its purposes are', () => {
  const selfIssued = createAuthority({ name: 'a' }).issue({ commonName: 'a' })
  const cases: [string, boolean][] = [
    [authority.certPem, true],
    [selfSigned().certPem, true],
    [leaf.certPem, false],
    [selfIssued.certPem, false],
    [pem('CERTIFICATE', unknownKind), false],
  ]
  for (const [text, expected] of cases) assert.equal(isSelfSigned(new X509Certificate(text)), expected)
})
