import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { test } from 'node:test'

import fc from 'fast-check'

import { CoveredNames } from '../../src/workers/formats/covered-names.js'
import { createAuthority } from '../../support/material/certificates.js'
import { keyPair } from '../../support/material/keys.js'

const authority = createAuthority()
const key = keyPair('ed25519')

/** Few, so that names coincide. */
const labels = fc.constantFrom(
  'a',
  'b',
  'ab',
  'a-b',
  '*',
  'a*',
  '*b',
  '*-b',
  'a-*',
  'a*b',
  '**',
  'xn--a',
  'xn--*',
  '*xn--a',
  '-a',
  'a-',
  'A',
  'a_b',
  '',
)
const dnsNames = fc
  .array(labels, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('.'))
  // For OpenSSL, a name that begins with a dot represents all names below it.
  .filter((name) => name !== '' && !name.startsWith('.'))
const addresses = fc.constantFrom(
  '192.0.2.1',
  '192.0.2.2',
  '2001:db8::1',
  '2001:DB8:0:0::1',
  '2001:db8::2',
  '::ffff:192.0.2.1',
  '::',
  'fe80::1',
)

test('a certificate covers the names that it covers for OpenSSL', () => {
  fc.assert(
    fc.property(
      fc.array(dnsNames, { minLength: 1, maxLength: 4 }),
      fc.array(addresses, { maxLength: 2 }),
      fc.array(fc.oneof(dnsNames, addresses), { minLength: 1, maxLength: 8 }),
      (names, ips, asked) => {
        const leaf = new X509Certificate(authority.issue({ key, names, ips }).certPem)
        const covered = new CoveredNames(leaf)
        for (const name of asked) {
          const expected = isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name, { subject: 'never' })
          assert.equal(covered.covers(name), expected !== undefined, `${name} by ${leaf.subjectAltName}`)
        }
      },
    ),
    { numRuns: 1_000 },
  )
})

test('an empty name, or one with a zone or a control character, is not covered', () => {
  const covered = new CoveredNames(new X509Certificate(authority.issue({ names: ['*.a.test'] }).certPem))
  for (const name of [
    '',
    '.',
    '.a.test',
    '.x.a.test',
    'x\0.a.test',
    '\0',
    'fe80::1%eth0',
    '::1%',
    'x.a.test.',
  ]) {
    assert.equal(covered.covers(name), false, JSON.stringify(name))
  }
})
