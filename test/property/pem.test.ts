import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import { splitPem } from '../../src/workers/formats/pem.js'
import { certificatesOf } from '../../src/workers/parse/certificates.js'
import { createAuthority } from '../../support/material/certificates.js'
import { orProblem } from '../../support/worker/problems.js'

const authority = createAuthority()
const [one, two] = [authority.issue(), authority.issue()]
const originals = [one.certPem, two.certPem]
const text = `${one.certPem}some text\n${two.certPem}`
const place = fc.nat(text.length)

test('a file that is truncated at either end gives whole blocks or none', () => {
  fc.assert(
    fc.property(place, place, (from, to) => {
      const blocks = orProblem(['PEM_INVALID'], () => splitPem(Buffer.from(text.slice(from, to)), 'f'))
      for (const { pem } of blocks ?? []) assert.ok(originals.includes(pem), pem)
    }),
    { numRuns: 1000 },
  )
})

test('a file that is truncated at its end is refused, or gives its first blocks', () => {
  for (let length = 0; length <= text.length; length++) {
    const blocks = orProblem(['PEM_INVALID'], () => splitPem(Buffer.from(text.slice(0, length)), 'f'))
    const pems = blocks?.map(({ pem }) => pem)
    if (pems) assert.deepEqual(pems, originals.slice(0, pems.length))
  }
})

test('a file with a missing piece gives no certificate that its issuer did not sign', () => {
  fc.assert(
    fc.property(place, place, (from, to) => {
      assertOnlyOriginals(text.slice(0, Math.min(from, to)) + text.slice(Math.max(from, to)))
    }),
    { numRuns: 1000 },
  )
})

test('the head of one file and the tail of another give no certificate that its issuer did not sign', () => {
  fc.assert(
    fc.property(fc.nat(one.certPem.length), fc.nat(two.certPem.length), (head, tail) => {
      assertOnlyOriginals(one.certPem.slice(0, head) + two.certPem.slice(tail))
    }),
    { numRuns: 1000 },
  )
})

test('the reader throws nothing but problems, for any content of a file', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '-----BEGIN CERTIFICATE-----',
      '-----END CERTIFICATE-----',
      '-----BEGIN ',
      '-----',
      '\n',
      '\r\n',
      'Proc-Type: 4,ENCRYPTED\n',
      one.certPem,
      'MIIB',
      '====',
      '$&',
    ),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const blocks = orProblem(['PEM_INVALID'], () => splitPem(Buffer.from(pieces.join('')), 'f')) ?? []
      // The result of a split is normalized: it splits into itself again.
      for (const block of blocks) assert.deepEqual(splitPem(Buffer.from(block.pem), 'f'), [block])
    }),
    { numRuns: 500 },
  )
})

/** Two halves can combine to bytes that parse; a valid signature does not arise by chance. */
function assertOnlyOriginals(damaged: string): void {
  const refused = ['PEM_INVALID', 'CERT_MISSING'] as const
  const found = orProblem(refused, () => certificatesOf(splitPem(Buffer.from(damaged), 'f'), 'f')) ?? []
  const issuer = new X509Certificate(authority.certPem)
  for (const certificate of found) {
    const isOriginal = originals.includes(certificate.toString())
    assert.equal(certificate.verify(issuer.publicKey), isOriginal, damaged)
  }
}
