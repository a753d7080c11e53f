import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Findings } from '../../src/workers/findings.js'
import { identityOf, isIssuedBy, isSelfSigned, passphraseOf, readPair } from '../../src/workers/identity.js'
import { createAuthority, selfSigned } from '../support/certificates.js'
import { writePair } from '../support/files.js'
import { codesOf } from '../support/findings.js'
import { encryptedPkcs8 } from '../support/key-forms.js'
import { type KeyPair, keyPair } from '../support/keys.js'
import { filesOf, taskFor } from '../support/prepare-here.js'
import { problemOf } from '../support/problems.js'
import { tempDir } from '../support/temp-dir.js'

const root = createAuthority()
const upper = root.issueAuthority()
const lower = upper.issueAuthority()
const leaf = lower.issue()
const other = root.issue()

test('a pair is read with its chain, leaf first', () => {
  const { chain, key, codes } = identityFrom([leaf, lower, upper])
  assert.deepEqual(chain, [leaf, lower, upper].map(fingerprint))
  assert.ok(key.equals(leaf.privateKey))
  assert.deepEqual(codes, { problems: [], warnings: [] })
})

for (const [what, given] of [
  ['in reverse behind the leaf', [leaf, upper, lower]],
  ['with its root in the middle', [leaf, root, upper, lower]],
] as const) {
  test(`a chain ${what} is put in order, with a warning`, () => {
    const { chain, codes } = identityFrom(given)
    assert.deepEqual(chain.slice(0, 3), [leaf, lower, upper].map(fingerprint))
    assert.deepEqual(codes, { problems: [], warnings: ['CHAIN_ORDER'] })
  })
}

test('a certificate that is no part of the chain goes last, with a warning', () => {
  const { chain, codes } = identityFrom([leaf, other, lower, upper])
  assert.deepEqual(chain, [leaf, lower, upper, other].map(fingerprint))
  assert.deepEqual(codes, { problems: [], warnings: ['CHAIN_ORDER'] })
})

test('a certificate that is there twice is sent once, without a word', () => {
  const { chain, codes } = identityFrom([leaf, leaf, lower, lower, upper])
  assert.deepEqual(chain, [leaf, lower, upper].map(fingerprint))
  assert.deepEqual(codes, { problems: [], warnings: [] })
})

test('the key that belongs to the leaf is found among others', () => {
  const { key } = identityFrom([leaf], [other, root, leaf])
  assert.ok(key.equals(leaf.privateKey))
})

test('a key of another certificate is refused as CERT_KEY_MISMATCH', () => {
  const problem = problemOf(() => identityFrom([leaf, lower], [other]))
  assert.deepEqual({ code: problem.code, path: problem.path }, { code: 'CERT_KEY_MISMATCH', path: 'tls.crt' })
  assert.ok(problem.message.includes('tls.key'))
})

test('a key of another type is refused as CERT_KEY_MISMATCH', () => {
  const problem = problemOf(() => identityFrom([leaf], [keyPair('ed25519')]))
  assert.equal(problem.code, 'CERT_KEY_MISMATCH')
})

test('a leaf that does not come first is refused by its place', () => {
  const problem = problemOf(() => identityFrom([upper, lower, leaf], [leaf]))
  assert.equal(problem.code, 'CHAIN_ORDER')
  assert.match(problem.message, /certificate 3 of 3/)
})

test('an issuer is known by its signature, not by its name', () => {
  const impostor = createAuthority({ name: root.name })
  assert.equal(isIssuedBy(parsed(upper), parsed(root)), true)
  assert.equal(isIssuedBy(parsed(upper), parsed(impostor)), false)
  assert.equal(isIssuedBy(parsed(upper), parsed(lower)), false)
})

test('a certificate that signed itself is known as such, whatever it may be used for', () => {
  assert.equal(isSelfSigned(parsed(root)), true)
  assert.equal(isSelfSigned(parsed(selfSigned())), true)
  assert.equal(isSelfSigned(parsed(leaf)), false)
  // Its own name as the issuer's, but the signature of another.
  assert.equal(isSelfSigned(parsed(createAuthority({ name: 'a' }).issue({ commonName: 'a' }))), false)
})

test('certificate and key may lie in one file', (t) => {
  const both = join(tempDir(t), 'both.pem')
  writeFileSync(both, leaf.keyPem + leaf.chainPem)
  const identity = readPair(both, both, filesOf({ cert: both, key: both }), null, new Findings(false))
  assert.equal(identity.chain.length, 3)
  assert.equal(identity.path, both)
})

test('an encrypted key is read with the passphrase of the options', (t) => {
  const dir = tempDir(t)
  const files = writePair(dir, { chainPem: leaf.chainPem, keyPem: encryptedPkcs8(leaf, 'pass phrase ') })
  const options = { ...files, passphrase: 'pass phrase ' }
  const set = filesOf(options)
  const passphrase = passphraseOf(taskFor(options).sources, set)
  const identity = readPair(files.cert, files.key, set, passphrase, new Findings(false))
  assert.ok(identity.key.equals(leaf.privateKey))
})

for (const [content, passphrase] of [
  ['secret', 'secret'],
  ['secret\n', 'secret'],
  ['secret\r\n', 'secret'],
  ['secret\n\n', 'secret\n'],
  [' secret \t\n', ' secret \t'],
  ['Zoë\n', 'Zoë'],
  ['', ''],
] as const) {
  test(`a passphrase file of ${JSON.stringify(content)} means ${JSON.stringify(passphrase)}`, (t) => {
    const dir = tempDir(t)
    const file = join(dir, 'passphrase')
    writeFileSync(file, content)
    const options = { ...writePair(dir, selfSigned()), passphrase: { file } }
    assert.equal(passphraseOf(taskFor(options).sources, filesOf(options))?.toString(), passphrase)
  })
}

test('without a passphrase there is none', (t) => {
  const options = writePair(tempDir(t), selfSigned())
  assert.equal(passphraseOf(taskFor(options).sources, filesOf(options)), null)
})

interface Certified {
  readonly certPem: string
}

function parsed({ certPem }: Certified): X509Certificate {
  return new X509Certificate(certPem)
}

function fingerprint(certified: Certified): string {
  return parsed(certified).fingerprint256
}

function identityFrom(certificates: readonly Certified[], keys: readonly KeyPair[] = [leaf]) {
  const findings = new Findings(false)
  const keyObjects = keys.map(({ privateKey }) => privateKey)
  const identity = identityOf(certificates.map(parsed), keyObjects, 'tls.crt', 'tls.key', findings)
  return {
    chain: identity.chain.map(({ fingerprint256 }) => fingerprint256),
    key: identity.key,
    codes: codesOf(findings),
  }
}
