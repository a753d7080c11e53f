/*
 * Random damage to the files of `lastGood`: always a refusal with a code, never another error, and never accepted.
 * `CERTSWAP_FUZZ` changes the number of cases.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import type { DeliveredPair, Delivery } from '../../src/main/api/source.js'
import { MalformedError } from '../../src/main/feed/bytes-reader.js'
import { bytesOfMaterial, materialOf } from '../../src/main/feed/delivery-bytes.js'
import { openFile, sealedFile } from '../../src/main/feed/last-good-file.js'
import type { LastGoodHead } from '../../src/main/feed/last-good-head.js'
import { runAtOnce } from '../../src/main/generation/slices.js'
import { ProblemError } from '../../src/workers/base/problem.js'
import { fuzzCases, seed } from '../../support/base/long-mode.js'

const bytes = () => fc.uint8Array({ maxLength: 300 })
const text = () => fc.string({ unit: 'grapheme', maxLength: 40 })
const pair: fc.Arbitrary<DeliveredPair> = fc.oneof(
  fc.record({ cert: bytes(), key: bytes() }),
  fc.record({ bundle: bytes() }),
)
const host = fc.tuple(text(), text(), pair).map(([name, version, one]) => ({ name, version, ...one }))
const material: fc.Arbitrary<Omit<Delivery, 'version' | 'revision'>> = fc.record(
  {
    pairs: fc.array(pair, { minLength: 1, maxLength: 3 }),
    ca: fc.array(bytes(), { maxLength: 3 }),
    crl: fc.array(bytes(), { maxLength: 3 }),
    hosts: fc.array(host, { maxLength: 4 }),
  },
  { requiredKeys: ['pairs'], noNullPrototype: true },
)
const head: fc.Arbitrary<LastGoodHead> = fc.record(
  {
    store: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((store) => Buffer.from(store)),
    sequence: fc.maxSafeNat(),
    writtenAt: fc.maxSafeNat(),
    source: text(),
    identity: text(),
    version: text(),
    revision: fc.option(fc.bigInt({ min: 0n, max: 2n ** 70n })),
  },
  { noNullPrototype: true },
)
const key = fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }))
const file = fc.record({ head, material, key })
const runs = { numRuns: fuzzCases(500), seed }

test('every delivery is read as it was written', () => {
  fc.assert(
    fc.property(file, (one) => {
      const opened = openWith(one, sealed(one))
      assert.deepEqual(opened.head, one.head)
      assert.deepEqual(plain(materialOf(opened.body)), plain(one.material))
    }),
    runs,
  )
})

test('a file with flipped bits, wherever they are, is refused with a code', () => {
  const flips = fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(file, flips, (one, places) => {
      const original = sealed(one)
      const damaged = Buffer.from(original)
      for (const { at, bit } of places)
        damaged[at % damaged.length] = (damaged[at % damaged.length] ?? 0) ^ (1 << bit)
      fc.pre(!damaged.equals(original))
      assertRefused(() => openWith(one, damaged))
    }),
    runs,
  )
})

test('a file of which a part is missing, doubled or exchanged is refused with a code', () => {
  fc.assert(
    fc.property(file, file, fc.nat(), fc.nat(), (one, other, from, to) => {
      const [original, foreign] = [sealed(one), sealed(other)]
      const [head, tail] = [from % (original.length + 1), to % (original.length + 1)]
      const spliced = Buffer.concat([original.subarray(0, head), original.subarray(tail)])
      const mixed = Buffer.concat([original.subarray(0, head), foreign.subarray(tail)])
      for (const damaged of [original.subarray(0, head), spliced, mixed])
        if (!damaged.equals(original)) assertRefused(() => openWith(one, damaged))
    }),
    runs,
  )
})

test('random bytes, also after a correct beginning and with a correct checksum, are refused with a code', () => {
  fc.assert(
    fc.property(file, fc.uint8Array({ maxLength: 400 }), fc.nat(46), (one, noise, kept) => {
      const unencrypted = { ...one, key: null }
      const begun = Buffer.concat([sealed(unencrypted).subarray(0, kept), noise])
      const digest = createHash('sha256').update(begun).digest()
      for (const damaged of [Buffer.from(noise), begun, Buffer.concat([begun, digest])])
        assertRefused(() => openWith(unencrypted, damaged))
    }),
    runs,
  )
})

test('material with another structure is refused, and never takes more memory than it has bytes', () => {
  const flip = fc.record({ at: fc.nat(), value: fc.nat(255) })
  fc.assert(
    fc.property(material, fc.array(flip, { maxLength: 4 }), fc.nat(), (one, flips, length) => {
      const body = runAtOnce(bytesOfMaterial(one, 1e6)) as Buffer
      for (const { at, value } of flips) body[at % body.length] = value
      for (const damaged of [body, body.subarray(0, length % body.length)]) {
        try {
          materialOf(damaged)
        } catch (error) {
          assert.ok(error instanceof MalformedError, String(error))
        }
      }
    }),
    runs,
  )
})

interface File {
  readonly head: LastGoodHead
  readonly material: Omit<Delivery, 'version' | 'revision'>
  readonly key: Uint8Array | null
}

function sealed({ head, material, key }: File): Buffer {
  return Buffer.concat([
    ...sealedFile('material', head, runAtOnce(bytesOfMaterial(material, 1e6)) as Buffer, key),
  ])
}

function openWith({ head: { source, identity }, key }: File, given: Buffer) {
  // A copy, because a refusal overwrites the body.
  return runAtOnce(openFile(Buffer.from(given), { kind: 'material', source, identity, key, path: '/kept' }))
}

function assertRefused(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof ProblemError, String(error))
    assert.match(error.problem.code, /^LAST_GOOD_(TORN|TRUNCATED|FOREIGN)$/)
    return
  }
  assert.fail('accepted')
}

/** Buffers and arrays as the same type. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
}
