import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { DerivationBudget } from '../../src/workers/derivation-budget.js'
import { readPkcs12 } from '../../src/workers/pkcs12.js'
import { ProblemError } from '../../src/workers/problem.js'
import { createAuthority } from '../support/certificates.js'
import { withoutOpenssl } from '../support/openssl.js'
import { type Pkcs12Options, pkcs12 } from '../support/pkcs12.js'
import { tempDir } from '../support/temp-dir.js'

const root = createAuthority()
const intermediate = root.issueAuthority()
const leaf = intermediate.issue()
const PASSPHRASE = 'correct horse Zoë 🔑'

for (const [what, options, passphrase] of [
  ['with a passphrase', { passphrase: PASSPHRASE }, PASSPHRASE],
  ['with a friendly name', { passphrase: PASSPHRASE, friendlyName: 'Zoë' }, PASSPHRASE],
  ['with an empty passphrase', {}, null],
  ['without encryption', { algorithm: 'none' }, null],
] as const) {
  test(`a file ${what} gives its key and its certificates, leaf first`, async () => {
    const file = pkcs12({ leaf, chain: [intermediate, root], ...(options as Partial<Pkcs12Options>) })
    const { certificates, keys } = await read(file, passphrase)
    assert.deepEqual(
      certificates.map(({ fingerprint256 }) => fingerprint256),
      [leaf, intermediate, root].map(({ fingerprint256 }) => fingerprint256),
    )
    assert.equal(keys.length, 1)
    assert.ok(keys[0]?.object.equals(leaf.privateKey))
  })
}

test('the leaf comes first, wherever it lies in the file', async () => {
  const file = pkcs12({ leaf: { ...leaf, certDer: root.certDer }, chain: [intermediate, leaf] })
  const { certificates } = await read(file, null)
  assert.equal(certificates[0]?.fingerprint256, leaf.fingerprint256)
})

for (const type of ['ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const) {
  test(`a key of ${type} comes out as it went in`, async () => {
    const other = root.issue({ keyType: type })
    const { keys } = await read(pkcs12({ leaf: other, passphrase: PASSPHRASE }), PASSPHRASE)
    assert.ok(keys[0]?.object.equals(other.privateKey))
  })
}

const protectedFile = pkcs12({ leaf, passphrase: PASSPHRASE })

for (const [what, file, passphrase, code] of [
  ['no file at all', Buffer.alloc(0), null, 'PFX_INVALID'],
  ['text', Buffer.from('no PKCS#12'), null, 'PFX_INVALID'],
  ['PEM', Buffer.from(leaf.certPem), null, 'PFX_INVALID'],
  ['a certificate in DER', leaf.certDer, null, 'PFX_INVALID'],
  ['a file that is cut off', protectedFile.subarray(0, -20), PASSPHRASE, 'PFX_INVALID'],
  ['a protected file without a passphrase', protectedFile, null, 'KEY_PASSPHRASE_REQUIRED'],
  ['another passphrase', protectedFile, 'wrong', 'KEY_PASSPHRASE_WRONG'],
] as const) {
  test(`${what} is refused as ${code}, and no passphrase is told`, async () => {
    const error = await read(file, passphrase).then(
      () => null,
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof ProblemError, String(error))
    assert.deepEqual([error.problem.code, error.problem.path], [code, 'tls.p12'])
    if (passphrase !== null) assert.ok(!error.problem.message.includes(passphrase))
  })
}

test('a file that was damaged anywhere is refused, or gives the key that it held', async () => {
  for (let at = 0; at < protectedFile.length; at += 37) {
    const damaged = Buffer.from(protectedFile)
    damaged[at] = (damaged[at] as number) ^ 0xff
    const keys = await read(damaged, PASSPHRASE).then(
      (content) => content.keys,
      (error: unknown) => {
        assert.ok(error instanceof ProblemError, `byte ${at}: ${error}`)
        return []
      },
    )
    for (const { object } of keys) assert.ok(object.equals(leaf.privateKey), `byte ${at}`)
  }
})

test('the caller’s bytes and passphrase are left as they are', () => {
  const [file, passphrase] = [Buffer.from(protectedFile), Buffer.from(PASSPHRASE)]
  readPkcs12(file, 'tls.p12', passphrase, new DerivationBudget())
  assert.ok(file.equals(protectedFile))
  assert.equal(passphrase.toString(), PASSPHRASE)
})

test('a file that the openssl program wrote gives its pair', { skip: withoutOpenssl }, async (t) => {
  const file = opensslExport(tempDir(t), [])
  const { certificates, keys } = await read(file, 'secret')
  assert.equal(certificates[0]?.fingerprint256, leaf.fingerprint256)
  assert.ok(keys[0]?.object.equals(leaf.privateKey))
})

test('a file in an outdated encryption is refused with how to write it anew', {
  skip: withoutOpenssl,
}, async (t) => {
  const file = opensslExport(tempDir(t), ['-legacy'])
  await assert.rejects(read(file, 'secret'), (error: ProblemError) => {
    assert.equal(error.problem.code, 'PFX_INVALID')
    return true
  })
})

test('a file of certificates alone is refused as PFX_INVALID', { skip: withoutOpenssl }, async (t) => {
  const file = opensslExport(tempDir(t), ['-nokeys'])
  await assert.rejects(read(file, 'secret'), (error: ProblemError) => {
    assert.equal(error.problem.code, 'PFX_INVALID')
    return true
  })
})

async function read(file: Buffer, passphrase: string | null) {
  const secret = passphrase === null ? null : Buffer.from(passphrase)
  return readPkcs12(file, 'tls.p12', secret, new DerivationBudget())
}

function opensslExport(dir: string, options: readonly string[]): Buffer {
  const pair = join(dir, 'pair.pem')
  writeFileSync(pair, leaf.keyPem + leaf.chainPem)
  return execFileSync('openssl', ['pkcs12', '-export', '-in', pair, '-passout', 'pass:secret', ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}
