import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  changedPaths,
  contentDigest,
  type Fingerprint,
  holdsPrivateKey,
  inodeStamp,
} from '../../src/fingerprint/index.js'
import { createAuthority } from '../support/certificates.js'

const leaf = createAuthority().issue()

test('any byte of a certificate file that changes, changes its digest', () => {
  const bytes = Buffer.from(leaf.chainPem)
  const before = contentDigest(bytes)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const other = Buffer.from(bytes)
      other[at] = (other[at] as number) ^ change
      assert.notEqual(contentDigest(other), before)
    }),
  )
})

test('one byte more or less changes the digest, the same bytes again do not', () => {
  const bytes = Buffer.from(leaf.chainPem)
  assert.equal(contentDigest(Buffer.from(bytes)), contentDigest(bytes))
  assert.notEqual(contentDigest(Buffer.concat([bytes, Buffer.from('\n')])), contentDigest(bytes))
  assert.notEqual(contentDigest(bytes.subarray(0, -1)), contentDigest(bytes))
})

test('a private key beside the chain never enters the digest, whole or cut off', () => {
  const other = createAuthority().issue()
  const digest = contentDigest(Buffer.from(leaf.chainPem + leaf.keyPem))
  assert.equal(contentDigest(Buffer.from(leaf.chainPem + other.keyPem)), digest)
  assert.equal(
    contentDigest(Buffer.from(leaf.chainPem + leaf.keyPem.slice(0, 90))),
    contentDigest(Buffer.from(leaf.chainPem + other.keyPem.slice(0, 100))),
  )
  assert.ok(holdsPrivateKey(Buffer.from(leaf.keyPem)))
  assert.ok(!holdsPrivateKey(Buffer.from(leaf.chainPem)))
})

test('each field of an inode changes its stamp', () => {
  const fields = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const
  const stats = { dev: 1n, ino: 2n, size: 3n, mtimeNs: 4n, ctimeNs: 5n }
  const stamps = fields.map((field) => inodeStamp({ ...stats, [field]: 99n }))
  assert.equal(new Set([...stamps, inodeStamp(stats)]).size, fields.length + 1)
})

const entries = fc.uniqueArray(
  fc.record({
    path: fc.constantFrom('/a', '/b', '/c', '/d'),
    by: fc.constantFrom('content', 'stamp'),
    value: fc.constantFrom('1', '2'),
  }),
  { selector: ({ path, by }) => `${by} ${path}` },
) as fc.Arbitrary<Fingerprint>

test('the same entries in another order are no change', () => {
  fc.assert(
    fc.property(entries, (one) => {
      assert.deepEqual(changedPaths(one, [...one].reverse()), [])
    }),
  )
})

test('what is changed, added or gone is named once, whichever way one compares', () => {
  fc.assert(
    fc.property(entries, entries, (one, two) => {
      const changed = changedPaths(one, two)
      assert.deepEqual(changed, changedPaths(two, one))
      assert.deepEqual(changed, [...new Set(changed)].sort())
      const text = (all: Fingerprint, path: string) =>
        JSON.stringify(
          all
            .filter((entry) => entry.path === path)
            .map(({ by, value }) => `${by} ${value}`)
            .sort(),
        )
      for (const path of ['/a', '/b', '/c', '/d']) {
        assert.equal(changed.includes(path), text(one, path) !== text(two, path))
      }
    }),
  )
})
