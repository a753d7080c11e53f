import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { AllowedNames } from '../../../src/main/feed/allowed-names.js'

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
const top = fc.stringMatching(/^[a-z]{2,6}$/)
const names = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 4 }), top)
  .map(([labels, last]) => [...labels, last].join('.'))

test('an exact name allows itself in any case, and no other name', () => {
  fc.assert(
    fc.property(names, names, (name, other) => {
      const allowed = new AllowedNames([name])
      assert.equal(allowed.read(name), name)
      assert.equal(allowed.read(name.toUpperCase()), name)
      assert.equal(allowed.read(other), other === name ? name : null)
    }),
  )
})

test('`*.` and a suffix allow every name below it, and neither the suffix nor a name that only ends like it', () => {
  fc.assert(
    fc.property(names, fc.array(label, { minLength: 1, maxLength: 3 }), label, (suffix, labels, front) => {
      const allowed = new AllowedNames([`*.${suffix}`])
      const below = `${labels.join('.')}.${suffix}`
      assert.equal(allowed.read(below), below)
      assert.equal(allowed.read(suffix), null)
      assert.equal(allowed.read(`${front}${suffix}`), null)
      assert.equal(allowed.read(`${below}.${front}x`), null)
    }),
  )
})

test('many patterns allow what one of them allows', () => {
  fc.assert(
    fc.property(
      fc.array(names, { maxLength: 8 }),
      fc.array(names, { maxLength: 8 }),
      names,
      (exact, suffixes, name) => {
        const allowed = new AllowedNames([...exact, ...suffixes.map((suffix) => `*.${suffix}`)])
        const expected = exact.includes(name) || suffixes.some((suffix) => name.endsWith(`.${suffix}`))
        assert.equal(allowed.read(name), expected ? name : null)
      },
    ),
  )
})

test('what is not a DNS name is not allowed by any pattern', () => {
  const allowed = new AllowedNames(['*', '*.example'])
  const label63 = 'a'.repeat(63)
  const refused = [
    ...['', '.', 'a.example.', '.a.example', 'a..example', '*.example', 'a b.example', 'a_b.example'],
    ...[
      '192.0.2.1',
      '[2001:db8::1]',
      '2001:db8::1',
      '1.2.3',
      'bücher.example',
      'a.example\0',
      'a\0b.example',
    ],
    ...[`${label63}a.example`, `${`${label63}.`.repeat(4)}example`, 'a.example/../b', 'a'.repeat(70_000)],
  ]
  for (const name of refused) assert.equal(allowed.read(name), null, JSON.stringify(name.slice(0, 300)))
  for (const name of ['a.example', 'XN--BCHER-KVA.example', `${label63}.example`, 'localhost'])
    assert.equal(allowed.read(name), name.toLowerCase())
})

test('any text is read without an exception, and only lower-case ASCII comes out', () => {
  const allowed = new AllowedNames(['*'])
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), names), (text) => {
      const name = allowed.read(text)
      if (name === null) return
      assert.match(name, /^[a-z0-9.-]{1,253}$/)
      assert.equal(name, text.toLowerCase())
    }),
  )
})
