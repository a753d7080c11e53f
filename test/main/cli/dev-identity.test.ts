import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  createDevelopmentAuthority,
  issueDevelopmentCertificate,
} from '../../../src/main/cli/dev/authority.js'
import {
  createDevelopmentIdentity,
  ensureDevelopmentIdentity,
  rotateDevelopmentIdentity,
} from '../../../src/main/cli/dev/identity.js'
import { replaceFiles } from '../../../src/main/cli/dev/replace-files.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { echoServer } from '../../../support/servers/echo-server.js'

const day = 86_400_000

test('a new identity is trusted by a client of its authority', async (t) => {
  const { certPath, keyPath, caPath, fingerprint256 } = await createDevelopmentIdentity(tempDir(t))
  const port = await echoServer(t, { cert: readFileSync(certPath), key: readFileSync(keyPath) })
  const result = await handshake({ port, ca: readFileSync(caPath) })
  assert.equal(result.authorizationError, undefined)
  assert.equal(result.fingerprint256, fingerprint256)
})

test('a new identity is valid for localhost and the loopback addresses, for 30 days', async (t) => {
  const { certPath, notAfter } = await createDevelopmentIdentity(tempDir(t))
  const leaf = read(certPath)
  assert.ok(leaf.checkHost('localhost', { subject: 'never' }))
  assert.ok(leaf.checkIP('127.0.0.1'))
  assert.ok(leaf.checkIP('::1'))
  assert.equal(Date.parse(leaf.validTo), notAfter.getTime())
  assert.ok(Math.abs(notAfter.getTime() - Date.now() - 30 * day) < 60_000)
})

test('a leaf has the requested names and addresses', () => {
  const names = ['a.example', '*.b.example']
  const ips = ['192.0.2.1', '::', '2001:db8::5:6', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1']
  const { certPem } = issueDevelopmentCertificate(createDevelopmentAuthority(), { names, ips, days: 1 })
  assert.equal(
    new X509Certificate(certPem).subjectAltName,
    'DNS:a.example, DNS:*.b.example, IP Address:192.0.2.1, IP Address:0:0:0:0:0:0:0:0, ' +
      'IP Address:2001:DB8:0:0:0:0:5:6, IP Address:1:2:3:4:5:6:7:8, IP Address:0:0:0:0:0:FFFF:C000:201',
  )
})

test('the authority signs leaves and no further authorities', async (t) => {
  const { caPath, certPath } = await createDevelopmentIdentity(tempDir(t))
  const ca = read(caPath)
  const leaf = read(certPath)
  assert.equal(ca.subject, 'CN=certswap development CA')
  assert.equal(ca.ca, true)
  assert.equal(leaf.ca, false)
  assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey))
  const pathLengthZero = Buffer.from('30060101ff020100', 'hex')
  assert.ok(ca.raw.includes(pathLengthZero))
})

test('an authority that expires after 2049 has a readable date', (t) => {
  t.mock.method(Date, 'now', () => Date.UTC(2045, 2, 4, 5, 6, 7))
  const { validTo } = new X509Certificate(createDevelopmentAuthority().certPem)
  assert.equal(new Date(validTo).toISOString(), '2055-03-02T05:06:07.000Z')
})

test('only the owner may read the keys and enter the directory', async (t) => {
  const dir = join(tempDir(t), '.certswap')
  await createDevelopmentIdentity(dir)
  await rotateDevelopmentIdentity(dir)
  assert.equal(modeOf(dir), 0o700)
  assert.equal(modeOf(join(dir, 'ca.key')), 0o600)
  assert.equal(modeOf(join(dir, 'tls.key')), 0o600)
  assert.equal(modeOf(join(dir, 'tls.crt')), 0o644)
})

test('keys are plain PKCS#8', async (t) => {
  const dir = tempDir(t)
  await createDevelopmentIdentity(dir)
  for (const name of ['ca.key', 'tls.key']) {
    assert.match(readFileSync(join(dir, name), 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/)
  }
})

test('existing files are kept unless forced', async (t) => {
  const dir = tempDir(t)
  const { fingerprint256, certPath } = await createDevelopmentIdentity(dir)
  await assert.rejects(createDevelopmentIdentity(dir), {
    code: 'IDENTITY_EXISTS',
    message: /ca\.crt already exists/,
  })
  assert.equal(read(certPath).fingerprint256, fingerprint256)

  const forced = await createDevelopmentIdentity(dir, { force: true })
  assert.notEqual(forced.fingerprint256, fingerprint256)
  assert.ok(read(certPath).verify(read(forced.caPath).publicKey))
})

test('a certificate from another source is kept too', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'tls.crt'), 'mine')
  await assert.rejects(createDevelopmentIdentity(dir), { code: 'IDENTITY_EXISTS' })
  assert.deepEqual(readdirSync(dir), ['tls.crt'])
})

test('a rotation creates a new key and certificate of the same authority for the same names', async (t) => {
  const dir = tempDir(t)
  const before = await createDevelopmentIdentity(dir, {
    names: ['a.example'],
    ips: ['192.0.2.1', '2001:db8::1'],
  })
  const old = {
    leaf: read(before.certPath),
    key: readFileSync(before.keyPath, 'utf8'),
    ca: read(before.caPath),
  }
  const after = await rotateDevelopmentIdentity(dir)
  const leaf = read(after.certPath)
  assert.equal(leaf.fingerprint256, after.fingerprint256)
  assert.notEqual(leaf.fingerprint256, old.leaf.fingerprint256)
  assert.notEqual(readFileSync(after.keyPath, 'utf8'), old.key)
  assert.equal(leaf.subjectAltName, old.leaf.subjectAltName)
  assert.ok(leaf.checkPrivateKey(createPrivateKey(readFileSync(after.keyPath))))
  assert.equal(read(after.caPath).fingerprint256, old.ca.fingerprint256)
  assert.ok(leaf.verify(old.ca.publicKey))
})

test('a rotation may change the names and the number of days', async (t) => {
  const dir = tempDir(t)
  await createDevelopmentIdentity(dir)
  const { certPath, notAfter } = await rotateDevelopmentIdentity(dir, {
    names: ['b.example'],
    ips: [],
    days: 2,
  })
  assert.equal(read(certPath).subjectAltName, 'DNS:b.example')
  assert.ok(notAfter.getTime() - Date.now() < 2 * day)
})

test('a rotation repairs a broken certificate', async (t) => {
  const dir = tempDir(t)
  const { certPath } = await createDevelopmentIdentity(dir)
  writeFileSync(certPath, 'broken')
  await rotateDevelopmentIdentity(dir)
  assert.equal(read(certPath).subject, 'CN=localhost')
})

test('a directory in place of a certificate is refused, with its path', async (t) => {
  const dir = tempDir(t)
  await createDevelopmentIdentity(dir)
  const cert = join(dir, 'tls.crt')
  rmSync(cert)
  mkdirSync(cert)
  for (const begin of [rotateDevelopmentIdentity, ensureDevelopmentIdentity]) {
    await assert.rejects(begin(dir), {
      code: 'IDENTITY_UNSAFE',
      message: /\/tls\.crt is not a regular file$/,
    })
  }
})

test('a rotation replaces the files by renaming and leaves no other file behind', async (t) => {
  const dir = tempDir(t)
  const { certPath, keyPath } = await createDevelopmentIdentity(dir)
  const inodes = [certPath, keyPath].map((path) => statSync(path).ino)
  await rotateDevelopmentIdentity(dir)
  const [cert, key] = [certPath, keyPath].map((path) => statSync(path).ino)
  assert.notEqual(cert, inodes[0])
  assert.notEqual(key, inodes[1])
  assert.deepEqual(readdirSync(dir).sort(), ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'])
})

test('files that cannot all be replaced leave no temporary file behind', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'tls.key')
  mkdirSync(join(path, 'in-the-way'), { recursive: true })
  await assert.rejects(replaceFiles([{ path, content: 'new', mode: 0o600 }]), { code: 'EISDIR' })
  assert.deepEqual(readdirSync(dir), ['tls.key'])
})

test('a rotation without an authority names the missing file', async (t) => {
  const dir = tempDir(t)
  await assert.rejects(rotateDevelopmentIdentity(dir), {
    code: 'AUTHORITY_MISSING',
    message: /ca\.crt is missing/,
  })
})

test('a rotation refuses a foreign authority, or one whose key does not match', async (t) => {
  const dir = tempDir(t)
  await createDevelopmentIdentity(dir)
  const stranger = createAuthority()
  writeFileSync(join(dir, 'ca.key'), stranger.keyPem)
  await assert.rejects(rotateDevelopmentIdentity(dir), { code: 'AUTHORITY_INVALID' })
  writeFileSync(join(dir, 'ca.crt'), stranger.certPem)
  await assert.rejects(rotateDevelopmentIdentity(dir), { code: 'AUTHORITY_INVALID' })
})

test('a second start keeps an identity that is still valid', async (t) => {
  const dir = join(tempDir(t), 'a', 'b')
  const first = await ensureDevelopmentIdentity(dir)
  assert.deepEqual(await ensureDevelopmentIdentity(dir), first)
})

test('a second start renews a certificate on its last day, or one whose key is missing', async (t) => {
  const dir = tempDir(t)
  const first = await createDevelopmentIdentity(dir, { days: 0.9 })
  const second = await ensureDevelopmentIdentity(dir)
  assert.notEqual(second.fingerprint256, first.fingerprint256)
  rmSync(second.keyPath)
  const third = await ensureDevelopmentIdentity(dir)
  assert.notEqual(third.fingerprint256, second.fingerprint256)
  assert.ok(existsSync(third.keyPath))
})

function read(path: string): X509Certificate {
  return new X509Certificate(readFileSync(path))
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

const withoutMlDsaKeys: string | false =
  Number(process.versions.node.split('.')[0]) < 24 && 'needs a Node that creates ML-DSA keys: 24.6 or later'

test('a second pair with ML-DSA has the same authority and is renewed with the first, and each client gets its pair', {
  skip: withoutMlDsaKeys,
}, async (t) => {
  const dir = tempDir(t)
  const { caPath, mlDsa } = await createDevelopmentIdentity(dir, { mlDsa: true })
  assert.ok(mlDsa)
  const before = read(mlDsa.certPath)
  assert.equal(before.publicKey.asymmetricKeyType, 'ml-dsa-65')
  const { certPath, keyPath } = await rotateDevelopmentIdentity(dir)
  const renewed = read(mlDsa.certPath)
  assert.notEqual(renewed.fingerprint256, before.fingerprint256)
  assert.equal(renewed.subjectAltName, before.subjectAltName)
  assert.equal(modeOf(mlDsa.keyPath), 0o600)
  const port = await echoServer(t, {
    cert: [certPath, mlDsa.certPath].map((path) => readFileSync(path)),
    key: [keyPath, mlDsa.keyPath].map((path) => readFileSync(path)),
  })
  const ca = readFileSync(caPath)
  const both = [await handshake({ port, ca }), await handshake({ port, ca, maxVersion: 'TLSv1.2' })]
  assert.deepEqual(
    both.map(({ authorizationError, fingerprint256 }) => [authorizationError, fingerprint256]),
    [renewed, read(certPath)].map(({ fingerprint256 }) => [undefined, fingerprint256]),
  )
})

test('a forced identity without ML-DSA leaves no pair of the previous authority behind', {
  skip: withoutMlDsaKeys,
}, async (t) => {
  const dir = tempDir(t)
  await createDevelopmentIdentity(dir, { mlDsa: true })
  await assert.rejects(createDevelopmentIdentity(dir), { code: 'IDENTITY_EXISTS' })
  assert.equal((await createDevelopmentIdentity(dir, { force: true })).mlDsa, null)
  assert.deepEqual(readdirSync(dir).sort(), ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'])
})

test('if Node cannot create ML-DSA keys, the command names the requirement and writes nothing', {
  skip: withoutMlDsaKeys === false && 'needs a Node that cannot create ML-DSA keys: 20 or 22',
}, async (t) => {
  const dir = join(tempDir(t), 'identity')
  await assert.rejects(createDevelopmentIdentity(dir, { mlDsa: true }), { code: 'ML_DSA_UNSUPPORTED' })
  assert.deepEqual(existsSync(dir) ? readdirSync(dir) : [], [])
})
