import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngineOptions } from '../../../src/main/api/options.js'
import { givenPassphrase, pemOf, readIdentities } from '../../../src/workers/judge/identity.js'
import { Findings } from '../../../src/workers/problems/findings.js'
import { type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf, selfSigned } from '../../../support/material/certificates.js'
import { encryptedPkcs8 } from '../../../support/material/key-forms.js'
import { type KeyPair, keyPair } from '../../../support/material/keys.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import { codesOf } from '../../../support/worker/findings.js'
import { filesOf, taskFor } from '../../../support/worker/tasks-here.js'

const root = createAuthority()
const upper = root.issueAuthority()
const lower = upper.issueAuthority()
const leaf = lower.issue()
const other = root.issue()
const clean = { problems: [], warnings: [] }

test('a pair is read with its chain, leaf first', async (t) => {
  const { identity, chain, codes } = await read(pairOf(t, [leaf, lower, upper]))
  assert.deepEqual(chain, [leaf, lower, upper].map(fingerprint))
  assert.equal(identity?.linked, 3)
  assert.ok(identity?.key.object.equals(leaf.privateKey))
  assert.deepEqual(codes, clean)
})

for (const [what, given] of [
  ['in reverse after the leaf', [leaf, upper, lower]],
  ['with its root in the middle', [leaf, root, upper, lower]],
] as const) {
  test(`a chain ${what} is put in order, with a warning`, async (t) => {
    const { chain, codes } = await read(pairOf(t, given))
    assert.deepEqual(chain.slice(0, 3), [leaf, lower, upper].map(fingerprint))
    assert.deepEqual(codes, { problems: [], warnings: ['CHAIN_ORDER'] })
  })
}

test('a certificate that is not part of the chain is moved to the end, with a warning', async (t) => {
  const { identity, chain, codes } = await read(pairOf(t, [leaf, other, lower, upper]))
  assert.deepEqual(chain, [leaf, lower, upper, other].map(fingerprint))
  assert.equal(identity?.linked, 3)
  assert.deepEqual(codes, { problems: [], warnings: ['CHAIN_ORDER'] })
})

test('a duplicate certificate is sent once, without a warning', async (t) => {
  const { chain, codes } = await read(pairOf(t, [leaf, leaf, lower, lower, upper]))
  assert.deepEqual(chain, [leaf, lower, upper].map(fingerprint))
  assert.deepEqual(codes, clean)
})

test('an issuer is identified by its signature, not by its name', async (t) => {
  const impostor = createAuthority({ name: lower.name, key: keyPair() })
  const { identity, chain } = await read(pairOf(t, [leaf, impostor, lower]))
  assert.equal(identity?.linked, 2)
  assert.deepEqual(chain, [leaf, lower, impostor].map(fingerprint))
})

test('the key of the leaf is found among others', async (t) => {
  const { identity } = await read(pairOf(t, [leaf], [other, root, leaf]))
  assert.ok(identity?.key.object.equals(leaf.privateKey))
})

for (const [what, key] of [
  ['of another certificate', other],
  ['of another type', keyPair('ed25519')],
] as const) {
  test(`a key ${what} is refused as CERT_KEY_MISMATCH, and both files are named`, async (t) => {
    const files = pairOf(t, [leaf, lower], [key])
    const { codes, problem } = await read(files)
    assert.deepEqual(codes.problems, ['CERT_KEY_MISMATCH'])
    assert.equal(problem?.path, files.cert)
    assert.ok(problem?.message.includes(files.key))
  })
}

test('a leaf that is not first is refused with its position', async (t) => {
  const { codes, problem } = await read(pairOf(t, [upper, lower, leaf]))
  assert.deepEqual(codes.problems, ['CHAIN_ORDER'])
  assert.match(problem?.message ?? '', /certificate 3 of 3/)
})

test('certificate and key may lie in one file', async (t) => {
  const both = join(tempDir(t), 'both.pem')
  writeFileSync(both, leaf.keyPem + leaf.chainPem)
  const { identity, codes } = await read({ cert: both, key: both })
  assert.equal(identity && pemOf(identity.chain), leaf.chainPem)
  assert.equal(identity?.path, both)
  assert.deepEqual(codes, clean)
})

test('a problem of one pair does not hide a problem of another', async (t) => {
  const good = pairOf(t, [leaf])
  const mismatched = pairOf(t, [leaf], [other])
  const missing = pairOf(t, [leaf], [])
  const all = [mismatched, good, missing]
  const { identities, codes } = await read({
    cert: all.map(({ cert }) => cert),
    key: all.map(({ key }) => key),
  })
  assert.deepEqual(codes.problems, ['CERT_KEY_MISMATCH', 'KEY_MISSING'])
  assert.equal(identities.length, 1)
})

test('a PKCS#12 file gives its pair', async (t) => {
  const pfx = join(tempDir(t), 'tls.p12')
  writeFileSync(pfx, pkcs12({ leaf, chain: [upper, lower], passphrase: 'secret' }))
  const { identity, chain } = await read({ pfx, passphrase: 'secret' })
  assert.deepEqual(chain, [leaf, lower, upper].map(fingerprint))
  assert.equal(identity?.path, pfx)
  assert.deepEqual((await read({ pfx, passphrase: 'wrong' })).codes.problems, ['KEY_PASSPHRASE_WRONG'])
})

test('an encrypted key is read with the passphrase of the options, including spaces', async (t) => {
  const files = writePair(tempDir(t), {
    chainPem: leaf.chainPem,
    keyPem: encryptedPkcs8(leaf, ' pass phrase '),
  })
  const { identity } = await read({ ...files, passphrase: ' pass phrase ' })
  assert.ok(identity?.key.object.equals(leaf.privateKey))
  assert.deepEqual((await read({ ...files, passphrase: 'pass phrase' })).codes.problems, [
    'KEY_PASSPHRASE_WRONG',
  ])
})

for (const [content, passphrase] of [
  ['secret', 'secret'],
  ['secret\n', 'secret'],
  ['secret\r\n', 'secret'],
  ['secret\n\n', 'secret\n'],
  [' secret \t\n', ' secret \t'],
  ['Zoë\n', 'Zoë'],
] as const) {
  test(`a passphrase file of ${JSON.stringify(content)} means ${JSON.stringify(passphrase)}`, async (t) => {
    const dir = tempDir(t)
    const file = join(dir, 'passphrase')
    writeFileSync(file, content)
    const own = selfSigned()
    const files = writePair(dir, { chainPem: own.chainPem, keyPem: encryptedPkcs8(own, passphrase) })
    const { identity } = await read({ ...files, passphrase: { file } })
    assert.ok(identity?.key.object.equals(own.privateKey))
  })
}

function fingerprint({ certPem }: Pick<Leaf, 'certPem'>): string {
  return new X509Certificate(certPem).fingerprint256
}

function pairOf(
  t: TestContext,
  certificates: readonly Pick<Leaf, 'certPem'>[],
  keys: readonly KeyPair[] = [leaf],
): PairFiles {
  const chainPem = certificates.map(({ certPem }) => certPem).join('')
  const keyPem = keys.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' })).join('')
  return writePair(tempDir(t), { chainPem, keyPem })
}

async function read(options: ReloadEngineOptions) {
  const findings = new Findings(false)
  const identities = readIdentities(filesOf(options), givenPassphrase(taskFor(options).sources), findings)
  const [identity] = identities
  const chain = identity?.chain.map(({ fingerprint256 }) => fingerprint256) ?? []
  return { identities, identity, chain, codes: codesOf(findings), problem: findings.problems[0] }
}
