import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { derFromBer } from '../../../src/workers/formats/ber.js'
import { numbersFrom } from '../../../support/base/long-mode.js'
import { berOf, mutated } from '../../../support/cases/der-mutants.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { bits, constructed, integer, octets, sequence, tagged } from '../../../support/material/der.js'
import { authenticatedSafe } from '../../../support/material/pkcs12.js'

const leaf = createAuthority().issue()
const samples = [leaf.certDer, authenticatedSafe({ leaf }), sequence(), octets(Buffer.alloc(70_000))]

test('DER is not changed', () => {
  for (const der of samples) assert.deepEqual(derFromBer(der), der)
})

test('indefinite lengths and strings in pieces become DER', () => {
  for (const der of samples) assert.deepEqual(derFromBer(berOf(der)), der)
})

test('a long length becomes the shortest form', () => {
  assert.deepEqual(derFromBer(Buffer.from([0x30, 0x84, 0, 0, 0, 3, 2, 1, 5])), sequence(integer(5)))
})

test('nested pieces are joined, and the last piece of a bit string gives the number of unused bits', () => {
  const inner = tagged(0x24, octets(Buffer.from('b')), octets(Buffer.from('c')))
  assert.deepEqual(derFromBer(tagged(0x24, octets(Buffer.from('a')), inner)), octets(Buffer.from('abc')))
  const pieces = tagged(0x23, bits(Buffer.from([1])), bits(Buffer.from([0xf0]), 4))
  assert.deepEqual(derFromBer(pieces), bits(Buffer.from([1, 0xf0]), 4))
})

test('bytes after the element are removed', () => {
  assert.deepEqual(
    derFromBer(Buffer.concat([sequence(integer(1)), Buffer.from('more')])),
    sequence(integer(1)),
  )
})

for (const [what, bytes] of [
  ['nothing', []],
  ['a truncated element', [0x30, 5, 2, 1]],
  ['an indefinite length without an end', [0x30, 0x80, 2, 1, 5, 0]],
  ['an indefinite length of an element that is not constructed', [0x04, 0x80, 1, 0, 0]],
  ['a tag of two bytes', [0x1f, 0x10, 0]],
  ['a length of nine bytes', [0x04, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['a piece of another type', [0x24, 3, 2, 1, 5]],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => derFromBer(Buffer.from(bytes)), RangeError)
  })
}

test('unlimited nesting is refused', () => {
  let deep = octets(Buffer.alloc(1))
  for (let i = 0; i < 40; i++) deep = constructed(0, deep)
  assert.throws(() => derFromBer(deep), RangeError)
  assert.throws(() => derFromBer(Buffer.alloc(500_000, Buffer.from([0x30, 0x80]))), RangeError)
})

test('changed bytes give DER that is stable, or a RangeError', () => {
  const seeds = fc.integer({ min: 0, max: 2 ** 31 })
  fc.assert(
    fc.property(seeds, fc.constantFrom(...samples.slice(0, 2)), (seed, der) => {
      let converted: Buffer
      try {
        converted = derFromBer(mutated(der, numbersFrom(seed)))
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
        return
      }
      assert.deepEqual(derFromBer(converted), converted)
    }),
    { numRuns: 1000 },
  )
})
