import assert from 'node:assert/strict'
import { test } from 'node:test'

import { iterationsIn, MOST_ITERATIONS } from '../../src/workers/derivation-cost.js'
import { splitPem } from '../../src/workers/pem.js'
import { readPkcs12 } from '../../src/workers/pkcs12.js'
import { privateKeysOf } from '../../src/workers/private-key.js'
import type { ProblemError } from '../../src/workers/problem.js'
import { selfSigned } from '../support/certificates.js'
import { integer, octets, oid, pem, sequence, tagged } from '../support/der.js'
import { encryptedPkcs8 } from '../support/key-forms.js'
import { pkcs12 } from '../support/pkcs12.js'
import { problemOf } from '../support/problems.js'

const leaf = selfSigned()
const salt = octets(Buffer.from('some salt'))

test('the iterations of an encrypted key and of a PKCS#12 file are found', () => {
  const key = encryptedPkcs8(leaf, 'x', { iterations: 4321 })
  assert.equal(iterationsIn(Buffer.from(key.split('-----')[2] as string, 'base64')), 4321)
  assert.equal(iterationsIn(pkcs12({ leaf, passphrase: 'x', iterations: 1234 })), 1234)
})

for (const [what, ber] of [
  ['in plain DER', sequence(salt, integer(9999))],
  ['before smaller ones', sequence(sequence(salt, integer(9999)), sequence(salt, integer(7)))],
  ['in an octet string', octets(sequence(salt, integer(9999)))],
  ['in an octet string of pieces', tagged(0x24, ...halves(sequence(salt, integer(9999))))],
  ['in BER of open length', open(0x30, open(0xa0, salt, integer(9999)))],
  ['behind a tag of two bytes', Buffer.concat([tag31(), sequence(salt, integer(9999))])],
  [
    'before something that is cut off',
    Buffer.concat([sequence(salt, integer(9999)), Buffer.from([0x30, 5])]),
  ],
  [
    'beside an octet string of anything',
    sequence(octets(Buffer.from([0x30, 0x7f])), sequence(salt, integer(9999))),
  ],
] as const) {
  test(`the largest count is found ${what}`, () => {
    assert.equal(iterationsIn(ber), 9999)
  })
}

test('an integer that follows no salt is no count', () => {
  assert.equal(iterationsIn(sequence(integer(9999), salt, oid('1.2.3'), integer(9999))), 0)
})

test('nesting without end and bytes of any kind end the search, not the process', () => {
  assert.equal(iterationsIn(Buffer.alloc(100_000, Buffer.from([0x30, 0x80]))), 0)
  assert.equal(iterationsIn(Buffer.alloc(1000, 0xff)), 0)
  assert.equal(iterationsIn(Buffer.alloc(0)), 0)
})

/** A key that would take hours, with nothing behind its promise. */
const costly = pem(
  'ENCRYPTED PRIVATE KEY',
  sequence(
    sequence(
      oid('1.2.840.113549.1.5.13'),
      sequence(
        sequence(oid('1.2.840.113549.1.5.12'), sequence(salt, integer(MOST_ITERATIONS + 1))),
        sequence(oid('2.16.840.1.101.3.4.1.42'), octets(Buffer.alloc(16))),
      ),
    ),
    octets(Buffer.alloc(64)),
  ),
)

test('a key that asks for more than is affordable is refused before OpenSSL sees it', () => {
  const blocks = splitPem(Buffer.from(costly), 'tls.key')
  const { code, message } = problemOf(() => privateKeysOf(blocks, 'tls.key', Buffer.from('x')))
  assert.equal(code, 'KEY_INVALID')
  assert.match(message, /5000001/)
})

test('a PKCS#12 file that asks for more than is affordable is refused before OpenSSL sees it', async () => {
  const file = sequence(integer(3), sequence(sequence(), salt, integer(MOST_ITERATIONS + 1)))
  await assert.rejects(readPkcs12(file, 'tls.p12', null), ({ problem }: ProblemError) => {
    assert.equal(problem.code, 'PFX_INVALID')
    assert.match(problem.message, /5000001/)
    return true
  })
})

/** An element whose length is left open, up to two zero bytes. */
function open(tag: number, ...parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.from([0, 0])])
}

/** An empty element whose tag takes two bytes. */
function tag31(): Buffer {
  return Buffer.from([0x1f, 0x81, 0x01, 0x00])
}

function halves(bytes: Buffer): Buffer[] {
  return [octets(bytes.subarray(0, 5)), octets(bytes.subarray(5))]
}
