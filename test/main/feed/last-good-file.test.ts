import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

import type { Delivery } from '../../../src/main/api/source.js'
import { bytesOfMaterial, materialOf } from '../../../src/main/feed/delivery-bytes.js'
import {
  type ExpectedFile,
  type LastGoodKind,
  openFile,
  sealedFile,
} from '../../../src/main/feed/last-good-file.js'
import type { LastGoodHead } from '../../../src/main/feed/last-good-head.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { ProblemError } from '../../../src/workers/base/problem.js'

const SECRET = 'the secret of the key'
const material: Omit<Delivery, 'version'> = {
  pairs: [{ cert: 'Zertifikat ü', key: Buffer.from(SECRET) }, { bundle: Buffer.from([0, 1, 255]) }],
  ca: [],
  crl: [Buffer.from('list')],
  hosts: [{ name: '*.a.example', version: 'h1', cert: Buffer.from('c'), key: Buffer.from(SECRET) }],
}
const head: LastGoodHead = {
  store: randomBytes(16),
  sequence: 7,
  writtenAt: 1_800_000_000_000,
  source: 'redis',
  identity: 'web',
  version: 'v1 ü',
  revision: 12n,
}
const keys = [null, randomBytes(32)]

for (const key of keys) {
  const how = key ? 'encrypted' : 'not encrypted'

  test(`a file that is ${how} gives back everything that was put into it`, () => {
    for (const revision of [null, 0n, 2n ** 64n]) {
      const given = { ...head, revision }
      const opened = open(sealed(given, key), { key })
      assert.deepEqual(opened.head, given)
      assert.deepEqual(asBytes(materialOf(opened.body)), asBytes(material))
    }
  })

  test(`a file that is ${how} and has several megabytes is read as it was written`, () => {
    const large = { pairs: [{ bundle: randomBytes(3_000_001) }] }
    const opened = open(sealed(head, key, large), { key })
    assert.deepEqual(materialOf(opened.body), large)
  })

  test(`a file that is ${how} and ends early is truncated, wherever it ends`, () => {
    const bytes = sealed(head, key)
    for (let length = 0; length < bytes.length; length++)
      assert.equal(codeOf(bytes.subarray(0, length), { key }), 'LAST_GOOD_TRUNCATED', `${length} bytes`)
  })

  test(`a file that is ${how} and damaged, continued or filled with NUL bytes is torn`, () => {
    const bytes = sealed(head, key)
    const inBody = Buffer.from(bytes)
    inBody.writeUInt8(inBody.readUInt8(inBody.length - 40) ^ 1, inBody.length - 40)
    const version = bytes.indexOf(head.version)
    const inHead = Buffer.from(bytes)
    inHead.writeUInt8(inHead.readUInt8(version) ^ 1, version)
    for (const damaged of [inBody, inHead, Buffer.concat([bytes, bytes]), Buffer.alloc(bytes.length)])
      assert.equal(codeOf(damaged, { key }), 'LAST_GOOD_TORN')
  })

  test(`a file that is ${how} and belongs to another source, identity, kind or format is foreign`, () => {
    const bytes = sealed(head, key)
    assert.equal(codeOf(bytes, { key, source: 'etcd' }), 'LAST_GOOD_FOREIGN')
    assert.equal(codeOf(bytes, { key, identity: 'api' }), 'LAST_GOOD_FOREIGN')
    assert.equal(codeOf(bytes, { key, kind: 'marker' }), 'LAST_GOOD_FOREIGN')
    const later = Buffer.from(bytes)
    later.writeUInt8(2, 9)
    assert.equal(codeOf(later, { key }), 'LAST_GOOD_FOREIGN')
    assert.equal(codeOf(Buffer.from('-----BEGIN CERTIFICATE-----\n'), { key }), 'LAST_GOOD_FOREIGN')
  })
}

test('a file of another key, without the expected key, or with an unexpected one, is foreign', () => {
  const [, key] = keys as [null, Buffer]
  assert.equal(codeOf(sealed(head, key), { key: randomBytes(32) }), 'LAST_GOOD_FOREIGN')
  assert.equal(codeOf(sealed(head, key), { key: null }), 'LAST_GOOD_FOREIGN')
  assert.equal(codeOf(sealed(head, null), { key }), 'LAST_GOOD_FOREIGN')
})

test('an encrypted file shows neither material nor key, and no two are equal', () => {
  const [, key] = keys as [null, Buffer]
  const [one, two] = [sealed(head, key), sealed(head, key)]
  for (const secret of [SECRET, 'Zertifikat', key]) assert.equal(one.includes(secret), false)
  assert.notDeepEqual(one, two)
  const start = 8 + 3 + 16
  assert.notDeepEqual(one.subarray(start, start + 12), two.subarray(start, start + 12))
})

test('material beyond the limit gives no bytes', () => {
  const size = runAtOnce(bytesOfMaterial(material, 1e6))?.length as number
  assert.equal(runAtOnce(bytesOfMaterial(material, size))?.length, size)
  assert.equal(runAtOnce(bytesOfMaterial(material, size - 1)), null)
})

function sealed(
  given: LastGoodHead,
  key: Buffer | null,
  content: Omit<Delivery, 'version'> = material,
): Buffer {
  const body = runAtOnce(bytesOfMaterial(content, 1e8)) as Buffer
  return Buffer.concat([...sealedFile('material', given, body, key)])
}

function open(bytes: Buffer, { kind = 'material', ...expected }: Partial<ExpectedFile>) {
  const all = { source: 'redis', identity: 'web', key: null, path: '/kept/last-good', ...expected }
  return runAtOnce(openFile(Buffer.from(bytes), { ...all, kind: kind satisfies LastGoodKind }))
}

function codeOf(bytes: Buffer, expected: Partial<ExpectedFile>): string {
  try {
    open(bytes, expected)
  } catch (error) {
    assert.ok(error instanceof ProblemError, String(error))
    assert.ok(!error.message.includes(SECRET))
    return error.problem.code
  }
  return 'accepted'
}

/** With texts as bytes. */
function asBytes(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (Array.isArray(value)) return value.map(asBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asBytes(one)]))
}
