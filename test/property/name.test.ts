import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import { nodeAt } from '../../src/workers/formats/der.js'
import { canonicalName } from '../../src/workers/formats/name.js'
import { oid, sequence, set, tagged } from '../../support/material/der.js'
import { keyPair, signerOf } from '../../support/material/keys.js'
import { signCertificate } from '../../support/material/x509.js'

interface Attribute {
  readonly type: string
  readonly tag: number
  readonly text: readonly string[]
}
type Name = readonly (readonly Attribute[])[]

const key = keyPair('ed25519')
const signer = signerOf(key.privateKey)

/** The text types of a name by tag, and how each of them encodes text. */
const types: Readonly<Record<number, (text: string) => Buffer>> = {
  12: (text) => Buffer.from(text),
  18: (text) => Buffer.from(text, 'latin1'),
  19: (text) => Buffer.from(text, 'latin1'),
  20: (text) => Buffer.from(text, 'latin1'),
  22: (text) => Buffer.from(text, 'latin1'),
  28: (text) => Buffer.concat([...text].map((character) => units(character.codePointAt(0) as number, 4))),
  30: (text) => Buffer.concat([...text].map((character) => units(character.charCodeAt(0), 2))),
}

const tags = fc.constantFrom(...Object.keys(types).map(Number))
const texts = fc.array(
  fc.constantFrom(
    'a',
    'A',
    'z',
    'Z',
    '1',
    ' ',
    '  ',
    '\t',
    '\n',
    '\v',
    '\r ',
    'ä',
    'Ä',
    '\u0085',
    '\u00a0',
    'ÿ',
    '\0',
  ),
  { maxLength: 5 },
)
const attributes = fc.record({
  type: fc.constantFrom('2.5.4.3', '2.5.4.10', '0.9.2342.19200300.100.1.25'),
  tag: tags,
  text: texts,
})
const names: fc.Arbitrary<Name> = fc.array(fc.array(attributes, { maxLength: 3 }), { maxLength: 3 })

test('two names are equal exactly if they are for OpenSSL, in any combination of types, case, space and order', () => {
  fc.assert(
    fc.property(
      names.chain((name) => fc.tuple(fc.constant(name), fc.oneof(spellingOf(name), names))),
      ([one, other]) => {
        assert.equal(equalHere(encode(one), encode(other)), equalInOpenSsl(encode(one), encode(other)))
      },
    ),
    { numRuns: 1_000 },
  )
})

test('any value of a name is equal only to itself, as for OpenSSL, or refused by both', () => {
  const values = fc.record({
    tag: fc.constantFrom(3, 12, 18, 19, 20, 22, 26, 28, 30),
    content: fc.uint8Array({ maxLength: 6 }),
  })
  fc.assert(
    fc.property(values, values, (one, other) => {
      const [a, b] = [one, other].map(({ tag, content }) => nameOf(tag, content)) as [Buffer, Buffer]
      const expected = attempt(() => equalInOpenSsl(a, b))
      const actual = attempt(() => equalHere(a, b))
      // Names that OpenSSL cannot parse never reach a handshake.
      if (expected !== undefined) assert.equal(actual, expected)
    }),
    { numRuns: 1_500 },
  )
})

test('a name in BER is not compared', () => {
  const constructed = sequence(set(sequence(oid('2.5.4.3'), tagged(0x2c, tagged(12, Buffer.from('a'))))))
  assert.throws(() => canonicalName(constructed, nodeAt(constructed, 0)), RangeError)
})

/** Another spelling of a name: other types, other case, more space. Not all spellings are the same name. */
function spellingOf(name: Name): fc.Arbitrary<Name> {
  return fc.tuple(
    ...name.map((rdn) =>
      fc
        .tuple(
          ...rdn.map((attribute) =>
            fc.record({
              type: fc.constant(attribute.type),
              tag: fc.oneof(fc.constant(attribute.tag), tags),
              text: fc.constantFrom(
                attribute.text,
                [' ', ...attribute.text, '\t'],
                attribute.text.map((part) => part.toUpperCase()),
                attribute.text.map((part) => (part === ' ' ? ' \n ' : part)),
              ),
            }),
          ),
        )
        .chain((spelled) => fc.shuffledSubarray(spelled, { minLength: spelled.length })),
    ),
  ) as fc.Arbitrary<Name>
}

function encode(name: Name): Buffer {
  return sequence(
    ...name.map((rdn) =>
      set(
        ...rdn.map(({ type, tag, text }) =>
          sequence(oid(type), tagged(tag, (types[tag] as (text: string) => Buffer)(text.join('')))),
        ),
      ),
    ),
  )
}

function nameOf(tag: number, content: Uint8Array): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), tagged(tag, content))))
}

function equalHere(one: Buffer, other: Buffer): boolean {
  return canonicalName(one, nodeAt(one, 0)) === canonicalName(other, nodeAt(other, 0))
}

/** By the issuer check, which compares names and has no other objection to these certificates. */
function equalInOpenSsl(subject: Buffer, issuer: Buffer): boolean {
  return certificate(issuer, nameOf(12, Buffer.from('leaf'))).checkIssued(certificate(subject, subject))
}

function certificate(issuer: Buffer, subject: Buffer): X509Certificate {
  const der = signCertificate(
    {
      issuer,
      subject,
      serial: '01',
      notBefore: new Date('2026-01-01'),
      notAfter: new Date('2036-01-01'),
      publicKey: key.publicKey,
      extensions: [],
    },
    signer,
  )
  return new X509Certificate(der)
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}

function units(value: number, bytes: number): Buffer {
  const unit = Buffer.alloc(bytes)
  unit.writeUIntBE(value, 0, bytes)
  return unit
}
