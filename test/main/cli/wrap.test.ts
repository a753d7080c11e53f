import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'

import fc from 'fast-check'

import { wrapped } from '../../../src/main/cli/client/wrap.js'

test('a text is divided between words, and long words after a colon, a slash or a comma', () => {
  assert.deepEqual(wrapped('one two three', 8), ['one two', 'three'])
  assert.deepEqual(wrapped('AA:BB:CC:DD', 6), ['AA:BB:', 'CC:DD'])
  assert.deepEqual(wrapped('/etc/tls/tls.crt', 9), ['/etc/tls/', 'tls.crt'])
  assert.deepEqual(wrapped('unbreakable', 4), ['unbreakable'])
  assert.deepEqual(wrapped('', 10), [''])
  assert.deepEqual(wrapped('one two', Number.POSITIVE_INFINITY), ['one two'])
})

test('colours take no space', () => {
  const lines = wrapped('\u001b[31mone two\u001b[39m three', 8)
  assert.deepEqual(lines.map(stripVTControlCharacters), ['one two', 'three'])
})

test('no line is longer than the width, unless a word has no place to divide it, and no word is lost', () => {
  const word = fc.stringMatching(/^[a-z:/,]{1,20}$/)
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), fc.integer({ min: 20, max: 100 }), (words, columns) => {
      const lines = wrapped(words.join(' '), columns)
      assert.ok(lines.every((line) => line.length <= columns))
      assert.equal(lines.join('').replaceAll(' ', ''), words.join(''))
    }),
  )
})
