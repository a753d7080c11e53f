import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import { alternativeNamesOf } from '../../src/workers/formats/alternative-names.js'
import { asciiDomain, isDnsName, nameText, parseName } from '../../src/workers/formats/certificate-name.js'
import { CoveredNames } from '../../src/workers/formats/covered-names.js'
import { createAuthority } from '../../support/material/certificates.js'
import { keyPair } from '../../support/material/keys.js'

const authority = createAuthority()
const key = keyPair('ed25519')

const parts = fc.constantFrom(
  ...[
    'a',
    'A',
    '.',
    ':',
    '/',
    '@',
    '"',
    '\\',
    ',',
    ' ',
    '*',
    '%',
    '-',
    '1',
    '\0',
    '\n',
    '\u007f',
    '\u00fc',
    '\u202e',
  ],
  ...[
    'spiffe://',
    'DNS:',
    'URI:',
    'email:',
    'IP:',
    'other:',
    'RID:1',
    'dirName:',
    '192.0.2.1',
    '::1',
    'xn--',
    'example',
  ],
)
const texts = fc.array(parts, { maxLength: 6 }).map((chosen) => chosen.join(''))

test('the text of a name can be parsed back to the name, shows its kind, and contains no control character', () => {
  fc.assert(
    fc.property(fc.constantFrom('DNS', 'URI', 'email', 'other'), texts, (kind, text) => {
      const name = { kind, value: kind === 'DNS' ? text.toLowerCase() : text } as const
      const shown = nameText(name)
      assert.deepEqual(parseName(shown), name)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      assert.doesNotMatch(shown, /[\u0000-\u001f\u007f\u202e]/)
    }),
    { numRuns: 2_000 },
  )
})

test('a certificate covers each of its names by its text, and none of another kind', () => {
  // IA5String is ASCII.
  const ascii = texts.filter((text) => asciiDomain(text) !== null && !/[^\0-\x7f]/.test(text))
  fc.assert(
    fc.property(fc.array(ascii, { maxLength: 3 }), fc.array(ascii, { maxLength: 3 }), (names, uris) => {
      const leaf = new X509Certificate(authority.issue({ key, names, uris, commonName: 'x' }).certPem)
      const read = alternativeNamesOf(leaf)
      const covered = new CoveredNames(leaf)
      assert.equal(read.texts.length, names.length + uris.length)
      for (const text of read.texts) assert.ok(covered.covers(text), text)
      for (const uri of uris) {
        const isName = isDnsName(uri) && covered.covers(uri)
        assert.equal(isName, isDnsName(uri) && new CoveredNames(namesOnly(names)).covers(uri), uri)
      }
    }),
    { numRuns: 300 },
  )
})

test('a domain name in Unicode becomes the name that clients send, and an invalid one is refused', () => {
  for (const [given, expected] of [
    ['Bücher.Example', 'xn--bcher-kva.example'],
    ['*.bücher.example', '*.xn--bcher-kva.example'],
    ['bücher。example', 'xn--bcher-kva.example'],
    ['faß.example', 'xn--fa-hia.example'],
    ['A.example', 'a.example'],
    ['_ü.example', 'xn--_-eha.example'],
    ['ü/a', null],
    ['ü:443', null],
    ['ü%2e', null],
    ['ü ä', null],
    ['ü\n', null],
    ['ü@a', null],
    ['a\u200Db', null],
  ] as const) {
    assert.equal(asciiDomain(given), expected, given)
  }
})

function namesOnly(names: readonly string[]): X509Certificate {
  return new X509Certificate(authority.issue({ key, names, commonName: 'x' }).certPem)
}
