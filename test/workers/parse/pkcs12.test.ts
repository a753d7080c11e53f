import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'

import { ProblemError } from '../../../src/workers/base/problem.js'
import { DerivationBudget } from '../../../src/workers/formats/derivation-budget.js'
import { readPkcs12 } from '../../../src/workers/parse/pkcs12.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { integer, sequence } from '../../../support/material/der.js'
import {
  authenticatedSafe,
  certificateBag,
  dataContent,
  type Pkcs12Options,
  pkcs12,
  safeBag,
  withMac,
  withoutMac,
  withPbmac1,
} from '../../../support/material/pkcs12.js'
import { withoutOpenssl } from '../../../support/processes/openssl.js'

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

test('the leaf is first, wherever it is in the file', async () => {
  const file = pkcs12({ leaf: { ...leaf, certDer: root.certDer }, chain: [intermediate, leaf] })
  const { certificates } = await read(file, null)
  assert.equal(certificates[0]?.fingerprint256, leaf.fingerprint256)
})

const other = intermediate.issue()
const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const keyBag = ({ privateKey }: Pick<Leaf, 'privateKey'>) =>
  safeBag(KEY_BAG, privateKey.export({ type: 'pkcs8', format: 'der' }))
const fileOf = (...bags: Buffer[]) => withoutMac(sequence(dataContent(sequence(...bags))))

const NAMES = new Map<object, string>([
  [leaf, 'its leaf'],
  [other, 'the other leaf'],
  [intermediate, 'the intermediate'],
])

for (const certificates of [
  [leaf, other, intermediate],
  [other, leaf, intermediate],
  [intermediate, other, leaf],
]) {
  const order = certificates.map((one) => NAMES.get(one))
  test(`if a file has two pairs, that of the first key is served, as by Node, in the order ${order.join(', ')}`, async () => {
    const bags = certificates.map(({ certDer }) => certificateBag(certDer))
    const file = fileOf(...bags, keyBag(leaf), keyBag(other))
    const content = await read(file, null)
    assert.deepEqual(
      content.certificates.map(({ fingerprint256 }) => fingerprint256),
      [leaf, intermediate].map(({ fingerprint256 }) => fingerprint256),
    )
    assert.equal(content.otherPairs, 1)
    const { context } = createSecureContext({ pfx: file }) as unknown as { context: Served }
    assert.ok(context.getCertificate().equals(leaf.certDer))
  })
}

interface Served {
  getCertificate(): Buffer
}

test('a CA whose key is in the file too counts as the issuer, not as the leaf', async () => {
  const bags = [intermediate, leaf].map(({ certDer }) => certificateBag(certDer))
  const content = await read(fileOf(...bags, keyBag(intermediate), keyBag(leaf)), null)
  assert.deepEqual(
    content.certificates.map(({ fingerprint256 }) => fingerprint256),
    [leaf, intermediate].map(({ fingerprint256 }) => fingerprint256),
  )
  assert.equal(content.otherPairs, 0)
})

test('a passphrase that fits the MAC and not the key is reported as such', async () => {
  const authenticated = authenticatedSafe({ leaf, passphrase: 'of the key' })
  await assert.rejects(
    read(withMac(authenticated, { passphrase: PASSPHRASE }), PASSPHRASE),
    ({ problem }) => {
      assert.equal(problem.code, 'KEY_PASSPHRASE_WRONG')
      assert.match(problem.message, /: it fits the MAC, but not /)
      return true
    },
  )
})

for (const [what, file, words] of [
  ['safes in safes', nested(8), /^tls\.p12 cannot be opened: its safes are nested more than 4 deep; /],
  ['another version', sequence(integer(4), sequence()), /^tls\.p12 is not a PKCS#12 file, or it is damaged$/],
] as const) {
  test(`a file with ${what} is refused with the correct reason`, async () => {
    await assert.rejects(read(file, null), ({ problem }) => {
      assert.equal(problem.code, 'PFX_INVALID')
      assert.match(problem.message, words)
      return true
    })
  })
}

function nested(depth: number): Buffer {
  const inner = (left: number): Buffer =>
    left === 0 ? keyBag(leaf) : safeBag('1.2.840.113549.1.12.10.1.6', sequence(inner(left - 1)))
  return fileOf(certificateBag(leaf.certDer), inner(depth))
}

/** OpenSSL supports PBMAC1 since 3.4. */
const nodeHasPbmac1 = Number.parseFloat(process.versions.openssl) >= 3.4

for (const keyBytes of [16, 19, 20, 32, 48, 64, 65]) {
  test(`PBMAC1 with a key of ${keyBytes} bytes opens if OpenSSL opens it`, async () => {
    const pfx = withPbmac1(authenticatedSafe({ leaf, passphrase: PASSPHRASE }), PASSPHRASE, keyBytes)
    const opens = await read(pfx, PASSPHRASE).then(
      () => true,
      ({ problem }) => {
        assert.match(problem.message, /its MAC has a key of \d+ bytes, which is not supported/)
        return false
      },
    )
    assert.equal(opens, keyBytes >= 20 && keyBytes <= 64)
    if (nodeHasPbmac1) assert.equal(nodeOpens(pfx), opens)
  })
}

function nodeOpens(pfx: Buffer): boolean {
  try {
    createSecureContext({ pfx, passphrase: PASSPHRASE })
    return true
  } catch {
    return false
  }
}

for (const type of ['ec-p384', 'rsa-2048', 'rsa-pss', 'ed25519'] as const) {
  test(`a key of ${type} is returned unchanged`, async () => {
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
  ['a truncated file', protectedFile.subarray(0, -20), PASSPHRASE, 'PFX_INVALID'],
  ['a protected file without a passphrase', protectedFile, null, 'KEY_PASSPHRASE_REQUIRED'],
  ['another passphrase', protectedFile, 'wrong', 'KEY_PASSPHRASE_WRONG'],
] as const) {
  test(`${what} is refused as ${code}, and no passphrase is revealed`, async () => {
    const error = await read(file, passphrase).then(
      () => null,
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof ProblemError, String(error))
    assert.deepEqual([error.problem.code, error.problem.path], [code, 'tls.p12'])
    if (passphrase !== null) assert.ok(!error.problem.message.includes(passphrase))
  })
}

test('a file that was damaged anywhere is refused, or gives its original key', async () => {
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

test('the caller’s bytes and passphrase are not changed', () => {
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

test('a file with outdated encryption is refused with a command that rewrites it', {
  skip: withoutOpenssl,
}, async (t) => {
  const file = opensslExport(tempDir(t), ['-legacy'])
  await assert.rejects(read(file, 'secret'), (error: ProblemError) => {
    assert.equal(error.problem.code, 'PFX_INVALID')
    return true
  })
})

test('a file with certificates only is refused as PFX_INVALID', { skip: withoutOpenssl }, async (t) => {
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
