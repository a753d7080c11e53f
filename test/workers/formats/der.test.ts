import assert from 'node:assert/strict'
import { test } from 'node:test'

import { childrenOf, nodeAt, oidOf, timeOf } from '../../../src/workers/formats/der.js'
import { integer, octets, oid, sequence, tagged, time } from '../../../support/material/der.js'

test('an element is found with its tag and its content, for every form of its length', () => {
  for (const length of [0, 127, 128, 255, 256, 65_535, 65_536]) {
    const der = octets(Buffer.alloc(length, 7))
    assert.deepEqual(nodeAt(der, 0), { tag: 0x04, from: der.length - length, to: der.length }, `${length}`)
  }
})

test('children are in order and inside their parent', () => {
  const der = sequence(integer(1), sequence(integer(2)), octets(Buffer.from('x')))
  assert.deepEqual(
    childrenOf(der, nodeAt(der, 0)).map(({ tag }) => tag),
    [0x02, 0x30, 0x04],
  )
  assert.deepEqual(childrenOf(sequence(), nodeAt(sequence(), 0)), [])
})

test('a child that is longer than its parent is refused, even if the bytes are there', () => {
  const der = Buffer.from([0x30, 0x03, 0x04, 0x05, 1, 2, 3, 4, 5])
  assert.throws(() => childrenOf(der, nodeAt(der, 0)), RangeError)
})

for (const [what, bytes] of [
  ['nothing at all', []],
  ['a tag without a length', [0x30]],
  ['a length beyond the end', [0x30, 0x05, 1, 2, 3, 4]],
  ['a truncated long length', [0x30, 0x82, 0x01]],
  ['an indefinite length, which is BER', [0x30, 0x80, 0, 0]],
  ['a length of five bytes', [0x30, 0x85, 0, 0, 0, 0, 1, 0]],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => nodeAt(Buffer.from(bytes), 0), RangeError)
  })
}

test('object identifiers are read correctly', () => {
  for (const dotted of ['1.2.840.113549.1.1.11', '1.3.101.112', '2.5.29.37.0', '0.9.2342.19200300.100.1.1']) {
    const der = oid(dotted)
    assert.equal(oidOf(der, nodeAt(der, 0)), dotted)
  }
})

test('object identifiers with large numbers are distinguished: a UUID, and second numbers above 39 below 2', () => {
  for (const [hex, dotted] of [
    [`69${'83'}${'ff'.repeat(17)}7f`, `2.25.${2n ** 128n - 1n}`],
    [`69${'83'}${'ff'.repeat(17)}7e`, `2.25.${2n ** 128n - 2n}`],
    ['883703', '2.999.3'],
    ['8f7f', `2.${2047 - 80}`],
    ['7803', '2.40.3'],
    ['2a03', '1.2.3'],
  ] as const) {
    const der = tagged(0x06, Buffer.from(hex, 'hex'))
    assert.equal(oidOf(der, nodeAt(der, 0)), dotted)
  }
})

test('both kinds of time are read correctly', () => {
  for (const iso of [
    '1950-01-01T00:00:00Z',
    '2049-12-31T23:59:59Z',
    '2050-01-01T00:00:00Z',
    '1999-06-30T12:30:15Z',
  ]) {
    const der = time(new Date(iso))
    assert.equal(timeOf(der, nodeAt(der, 0)), Date.parse(iso))
  }
})

test('a UTCTime without seconds is read, as old authorities write it', () => {
  const der = tagged(0x17, Buffer.from('2001020304Z'))
  assert.equal(timeOf(der, nodeAt(der, 0)), Date.parse('2020-01-02T03:04:00Z'))
})

for (const [what, der] of [
  ['another type', integer(20_200_101)],
  ['a time in another zone', tagged(0x17, Buffer.from('200102030405+0100'))],
  ['a date that does not exist', tagged(0x18, Buffer.from('20201399256199Z'))],
  ['text', tagged(0x17, Buffer.from('tomorrow'))],
] as const) {
  test(`${what} is not a time`, () => {
    assert.equal(timeOf(der, nodeAt(der, 0)), null)
  })
}
