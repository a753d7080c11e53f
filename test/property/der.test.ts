import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { childrenOf, type DerNode, nodeAt, oidOf, timeOf } from '../../src/workers/formats/der.js'
import { derKind, looksLikeDer } from '../../src/workers/formats/der-kind.js'
import { issuerOf, signatureOid, subjectOf } from '../../src/workers/formats/x509.js'
import { createAuthority } from '../../support/material/certificates.js'

const { certDer } = createAuthority().issue()
const ways = [issuerOf, signatureOid, subjectOf]

test('random bytes make the DER reader throw RangeError or nothing', () => {
  fc.assert(
    fc.property(derLike(), (bytes) => {
      orRangeError(() => walk(bytes, nodeAt(bytes, 0)))
      for (const read of ways) orRangeError(() => read(bytes))
    }),
    { numRuns: 1000 },
  )
})

test('random bytes have a kind or none', () => {
  fc.assert(
    fc.property(derLike(), (bytes) => {
      derKind(bytes)
      looksLikeDer(bytes)
    }),
    { numRuns: 1000 },
  )
})

test('a certificate with some changed bytes makes the DER reader throw RangeError or nothing', () => {
  const changes = fc.array(fc.tuple(fc.nat(certDer.length - 1), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(changes, (bytes) => {
      const damaged = Buffer.from(certDer)
      for (const [at, byte] of bytes) damaged[at] = byte
      orRangeError(() => walk(damaged, nodeAt(damaged, 0)))
      for (const read of ways) orRangeError(() => read(damaged))
    }),
    { numRuns: 1000 },
  )
})

test('no truncated certificate is readable', () => {
  fc.assert(
    fc.property(fc.nat(certDer.length - 1), (length) => {
      assert.throws(() => signatureOid(certDer.subarray(0, length)), RangeError)
    }),
  )
})

/** Bytes that include plausible tags and lengths, so that the reader gets beyond the first element. */
function derLike(): fc.Arbitrary<Uint8Array> {
  const byte = fc.oneof(
    fc.constantFrom(0x02, 0x06, 0x17, 0x18, 0x30, 0x31, 0xa0, 0x80, 0x81, 0x84, 0xff),
    fc.integer({ min: 0, max: 12 }),
    fc.integer({ min: 0, max: 255 }),
  )
  return fc.array(byte, { maxLength: 64 }).map((bytes) => Uint8Array.from(bytes))
}

/** Reads every element at every depth. */
function walk(der: Uint8Array, node: DerNode): void {
  const ms = timeOf(der, node)
  assert.ok(ms === null || Number.isInteger(ms), `a time of ${ms}`)
  oidOf(der, node)
  for (const child of childrenOf(der, node)) {
    assert.ok(node.from <= child.from && child.from <= child.to && child.to <= node.to)
    if (isConstructed(child)) walk(der, child)
  }
}

function isConstructed({ tag }: DerNode): boolean {
  return (tag & 0x20) !== 0
}

function orRangeError(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof RangeError, `threw ${error}`)
  }
}
