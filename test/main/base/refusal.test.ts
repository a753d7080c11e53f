import assert from 'node:assert/strict'
import { test } from 'node:test'

import { z } from 'zod'

import { refusal, WORDED } from '../../../src/main/base/refusal.js'

const schema = z.strictObject({
  name: z.string().min(1).max(3),
  count: z.int().min(2).max(4),
  share: z.number().gt(0).lt(1),
  list: z.array(z.string()).min(1),
  mode: z.enum(['a', 'b']),
  kind: z.literal('x'),
  file: z.union([z.string(), z.array(z.string())], { error: 'expected a path' }),
})
const GOOD = { name: 'abc', count: 3, share: 0.5, list: ['a'], mode: 'a', kind: 'x', file: 'f' }

const WRONG: readonly (readonly [object, string])[] = [
  [{ name: 5 }, '`name`: expected string, got 5 (number)'],
  [{ name: '' }, '`name`: expected string to have >=1 characters, got "" (string)'],
  [{ name: 'abcd' }, '`name`: expected string to have <=3 characters, got "abcd" (string)'],
  [{ count: 2.5 }, '`count`: expected int, got 2.5 (number)'],
  [{ count: 1 }, '`count`: expected number to be >=2, got 1 (number)'],
  [{ count: 5 }, '`count`: expected number to be <=4, got 5 (number)'],
  [{ share: 0 }, '`share`: expected number to be >0, got 0 (number)'],
  [{ share: 1 }, '`share`: expected number to be <1, got 1 (number)'],
  [{ share: Number.NaN }, '`share`: expected number, got NaN (number)'],
  [{ list: [] }, '`list`: expected array to have >=1 items, got an array of 0'],
  [{ mode: 'c' }, '`mode`: expected one of "a"|"b", got "c" (string)'],
  [{ kind: 'y' }, '`kind`: expected "x", got "y" (string)'],
  [{ file: null }, '`file`: expected a path, got null'],
  [{ naem: 1 }, 'unknown option `naem`'],
]

test('a refusal names the option, the expected value and the received value', () => {
  for (const [wrong, sentence] of WRONG) assert.equal(sentenceOf(wrong), `invalid options: ${sentence}`)
})

test('a refusal does not use the wording of zod', (t) => {
  t.after(() => z.config(z.locales.en()))
  z.config(z.locales.de())
  for (const [wrong, sentence] of WRONG) assert.equal(sentenceOf(wrong), `invalid options: ${sentence}`)
})

function sentenceOf(wrong: object): string {
  const input = { ...GOOD, ...wrong }
  const parsed = schema.safeParse(input, WORDED)
  return refusal(parsed.error?.issues ?? [], input)
}
