import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  changedPaths,
  contentDigest,
  type Fingerprint,
  inodeStamp,
  sameFingerprint,
} from '../../src/fingerprint/index.js'
import { createAuthority } from '../../support/material/certificates.js'

const leaf = createAuthority().issueAuthority().issue()
const chain = Buffer.from(leaf.chainPem)

test('every changed byte in a certificate file changes its digest', () => {
  const digest = contentDigest(chain)
  fc.assert(
    fc.property(fc.nat(chain.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(chain)
      changed[at] = (changed[at] as number) ^ flip
      assert.notEqual(contentDigest(changed), digest)
    }),
    { numRuns: 500 },
  )
})

test('every changed byte around a key changes the digest, and no changed byte of the key does', () => {
  const key = Buffer.from(leaf.keyPem.trimEnd())
  const file = Buffer.concat([chain, key, chain])
  const digest = contentDigest(file)
  const bodyFrom = chain.length + '-----BEGIN PRIVATE KEY-----'.length
  const bodyTo = chain.length + key.length - '-----END PRIVATE KEY-----'.length
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.constantFrom('A', 'B'), (at, letter) => {
      const changed = Buffer.from(file)
      changed.write(letter, at)
      const inBody = at >= bodyFrom && at < bodyTo
      if (inBody || changed.equals(file)) assert.equal(contentDigest(changed), digest)
      else assert.notEqual(contentDigest(changed), digest)
    }),
    { numRuns: 500 },
  )
})

test('the digest is the same for every private key', () => {
  const base64 = fc.base64String({ minLength: 4, maxLength: 400 })
  const label = fc.constantFrom('', 'RSA ', 'EC ', 'ENCRYPTED ', 'OPENSSH ')
  const block = fc.tuple(label, base64).map(([kind, body]) => {
    return `-----BEGIN ${kind}PRIVATE KEY-----\n${body}\n-----END ${kind}PRIVATE KEY-----`
  })
  fc.assert(
    fc.property(block, block, (one, other) => {
      const digests = [one, other].map((key) => contentDigest(Buffer.from(`${leaf.certPem}${key}\n`)))
      assert.equal(digests[0], digests[1])
    }),
  )
})

test('two stamps are equal exactly if all their fields are', () => {
  const field = fc.bigInt({ min: 0n, max: 2n ** 64n })
  const stats = fc.record({ dev: field, ino: field, size: field, mtimeNs: field, ctimeNs: field })
  const similar = fc.tuple(stats, stats, fc.subarray(['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const))
  fc.assert(
    fc.property(similar, ([one, two, shared]) => {
      const other = { ...two, ...Object.fromEntries(shared.map((name) => [name, one[name]])) }
      const same = Object.keys(one).every((name) => one[name as 'dev'] === other[name as 'dev'])
      assert.equal(inodeStamp(one) === inodeStamp(other), same)
    }),
  )
})

test('changed paths are the same in both directions', () => {
  fc.assert(
    fc.property(fingerprint(), fingerprint(), (one, other) => {
      assert.deepEqual(changedPaths(one, other), changedPaths(other, one))
    }),
  )
})

test('a fingerprint has no changed path compared with itself in any order', () => {
  const shuffled = fingerprint().chain((one) =>
    fc.tuple(fc.constant(one), fc.shuffledSubarray([...one], { minLength: one.length })),
  )
  fc.assert(fc.property(shuffled, ([one, other]) => assert.deepEqual(changedPaths(one, other), [])))
})

test('exactly the paths of differing entries are named, each once, sorted', () => {
  fc.assert(
    fc.property(fingerprint(), fingerprint(), (before, after) => {
      const [left, right] = [before, after].map((one) => new Set(one.map((entry) => JSON.stringify(entry))))
      const differing = [
        ...before.filter((entry) => !right?.has(JSON.stringify(entry))),
        ...after.filter((entry) => !left?.has(JSON.stringify(entry))),
      ]
      assert.deepEqual(changedPaths(before, after), [...new Set(differing.map(({ path }) => path))].sort())
    }),
  )
})

test('two fingerprints are the same exactly if no path has changed, in any order', () => {
  fc.assert(
    fc.property(fingerprint(), fingerprint(), (one, other) => {
      assert.equal(sameFingerprint(one, other), changedPaths(one, other).length === 0)
      assert.equal(sameFingerprint(one, [...one].reverse()), true)
    }),
  )
})

/** Few paths and values, so that two fingerprints have something in common. */
function fingerprint(): fc.Arbitrary<Fingerprint> {
  const entry = fc.record({
    path: fc.constantFrom('a', 'b', 'c/d', 'content a'),
    by: fc.constantFrom('content' as const, 'stamp' as const),
    value: fc.constantFrom('1', '2'),
  })
  return fc.uniqueArray(entry, { selector: ({ by, path }) => `${by} ${path}` })
}
