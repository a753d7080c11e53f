import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { fits } from '../../../src/main/attach/server-name.js'
import { isServerName } from '../../../src/workers/base/server-name.js'

test('a server name is a DNS name: not an address, not a wildcard, and not too long', () => {
  for (const name of ['localhost', 'a.test', 'xn--a.test', '1.a', 'a-b.c1', `${'a.'.repeat(126)}a`]) {
    assert.equal(isServerName(name), true, name)
  }
  for (const name of [
    '',
    '.',
    'a.',
    '*.a.test',
    '192.0.2.1',
    '2001:db8:0:0:0:0:0:1',
    'a_b.test',
    '1',
    `${'a.'.repeat(127)}a`,
  ]) {
    assert.equal(isServerName(name), false, name)
  }
})

test('names match the names of addContext as Node compares them', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 })
  const names = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
  fc.assert(
    fc.property(text, names, (pattern, name) => {
      const source = pattern.replaceAll('.', '\\.').replaceAll('*', '[^.]*')
      assert.equal(fits(pattern, name), new RegExp(`^${source}$`).test(name))
    }),
    { numRuns: 5_000 },
  )
})
