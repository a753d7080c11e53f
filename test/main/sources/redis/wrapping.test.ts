import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'

import { wrapForRedis } from '../../../../src/main/sources/redis/index.js'
import { type Material, materialOf } from '../../../../src/main/sources/redis/material.js'
import { SecretSearch } from '../../../../support/base/secrets.js'
import { tempDir } from '../../../../support/files/temp-dir.js'
import { createAuthority } from '../../../../support/material/certificates.js'

const leaf = createAuthority().issue()
const subject = { kind: 'identity', name: 'web' } as const
const place = { target: 'web', version: 'v1', revision: 7 } as const

test('wrapped values open with their key, and a string gives the same bytes as a buffer', async (t) => {
  const { keyFile, key } = writeKey(t)
  const fields = await wrappedFields(keyFile)
  const { delivery } = opened(materialOf(fields, subject, key))
  assert.equal(String(delivery.pairs[0]?.key), leaf.keyPem)
  assert.equal(String(delivery.pairs[0]?.cert), leaf.chainPem)
  for (const value of fields.values()) assert.ok(!value.includes('-----BEGIN'))
})

test('a wrapped value does not open with another key, in another field, name, version or revision, or changed', async (t) => {
  const { keyFile, key } = writeKey(t)
  const fields = await wrappedFields(keyFile)
  const cert = fields.get('cert') as Buffer
  const changed = Buffer.from(cert)
  changed[20] = (changed[20] as number) ^ 1
  const other = randomBytes(32)
  const cases: [string, () => unknown][] = [
    ['key', () => materialOf(fields, subject, other)],
    ['field', () => materialOf(new Map(fields).set('key', cert), subject, key)],
    ['name', () => materialOf(fields, { ...subject, name: 'other' }, key)],
    ['kind', () => materialOf(fields, { ...subject, kind: 'host' }, key)],
    ['version', () => materialOf(new Map(fields).set('version', Buffer.from('v2')), subject, key)],
    ['revision', () => materialOf(new Map(fields).set('revision', Buffer.from('8')), subject, key)],
    ['bytes', () => materialOf(new Map(fields).set('cert', changed), subject, key)],
    ['length', () => materialOf(new Map(fields).set('cert', cert.subarray(0, -1)), subject, key)],
  ]
  for (const [what, act] of cases) assert.throws(act, { code: 'SOURCE_INVALID' }, what)
})

test('with a key file every value must be wrapped, also anchors and a withdrawal; without one none may be', async (t) => {
  const { keyFile, key } = writeKey(t)
  const fields = await wrappedFields(keyFile)
  for (const field of ['cert', 'key', 'ca', 'withdrawn']) {
    const plain = new Map(fields).set(field, Buffer.from(leaf.certPem))
    assert.throws(
      () => materialOf(plain, subject, key),
      { code: 'SOURCE_INVALID', message: /is not wrapped/ },
      field,
    )
  }
  assert.throws(() => materialOf(fields, subject, null), { code: 'SOURCE_INVALID', message: /unwrapKeyFile/ })
})

test('a key file that other users can use is refused, and so are a short one and a directory', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { keyFile } = writeKey(t)
  const wrapped = () => wrapForRedis('value', { keyFile, field: 'key', ...place })
  await wrapped()
  for (const mode of [0o644, 0o604, 0o622, 0o602]) {
    chmodSync(keyFile, mode)
    await assert.rejects(
      wrapped(),
      { code: 'SOURCE_INVALID', message: /other users.*with mode 0600 or 0640/ },
      mode.toString(8),
    )
  }
  chmodSync(keyFile, 0o600)
  writeFileSync(keyFile, randomBytes(31))
  await assert.rejects(wrapped(), { code: 'SOURCE_INVALID', message: /no key of 32 bytes/ })
  const dir = tempDir(t)
  mkdirSync(join(dir, 'folder'))
  symlinkSync(join(dir, 'nowhere'), join(dir, 'link'))
  for (const name of ['folder', 'link', 'missing']) {
    await assert.rejects(wrapForRedis('value', { ...place, field: 'key', keyFile: join(dir, name) }), {
      code: 'SOURCE_INVALID',
    })
  }
})

test('no refusal contains a byte of a key, a certificate or a wrapping key', async (t) => {
  const { keyFile, key } = writeKey(t)
  const search = new SecretSearch()
  search.addKey(leaf.privateKey)
  search.add('wrapping key', key)
  search.add('certificate', leaf.certDer)
  const wrapped = await wrappedFields(keyFile)
  const plain = plainFields()
  const without = (field: string) => new Map([...plain].filter(([name]) => name !== field))
  const refused: [ReadonlyMap<string, Buffer>, Buffer | null][] = [
    [plain, key],
    [wrapped, null],
    [wrapped, randomBytes(32)],
    [without('key'), null],
    [without('cert'), null],
    [without('version'), null],
    [new Map(plain).set('version', plain.get('key') as Buffer), null],
    [new Map(plain).set('revision', plain.get('key') as Buffer), null],
    [new Map(plain).set('bundle', plain.get('key') as Buffer), null],
    [new Map(plain).set('key', Buffer.alloc(1024 * 1024 + 1, leaf.keyPem)), null],
  ]
  for (const [fields, wrappingKey] of refused) {
    assert.throws(
      () => materialOf(fields, subject, wrappingKey),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'SOURCE_INVALID')
        assert.equal(search.findIn(inspect(error, { depth: 9 })), undefined)
        return true
      },
    )
  }
})

function plainFields(): Map<string, Buffer> {
  const texts = { version: 'v1', revision: '7', cert: leaf.chainPem, key: leaf.keyPem }
  return new Map(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]))
}

async function wrappedFields(keyFile: string): Promise<Map<string, Buffer>> {
  const fields = plainFields()
  fields.set('cert', await wrapForRedis(leaf.chainPem, { keyFile, field: 'cert', ...place }))
  fields.set('key', await wrapForRedis(Buffer.from(leaf.keyPem), { keyFile, field: 'key', ...place }))
  return fields
}

function opened(material: Material): Extract<Material, { kind: 'material' }> {
  assert.ok(material.kind === 'material')
  return material
}

function writeKey(t: TestContext): { keyFile: string; key: Buffer } {
  const keyFile = join(tempDir(t), 'wrap.key')
  const key = randomBytes(32)
  writeFileSync(keyFile, key, { mode: 0o600 })
  return { keyFile, key }
}
