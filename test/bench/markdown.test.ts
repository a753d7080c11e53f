import assert from 'node:assert/strict'
import { test } from 'node:test'

import { fillMarked, targetsTable } from '../../bench/report/markdown.js'
import { benchResult } from '../support/bench-result.js'

test('what stands between the marks is replaced, as often as one likes, and the rest is left alone', () => {
  const page =
    'before\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nbetween\n<!-- bench:b -->\n<!-- /bench:b -->\nafter\n'
  const filled = fillMarked(page, 'a', 'a $1 figure')
  assert.equal(
    filled,
    page.replace('\nold\n', () => '\n\na $1 figure\n\n'),
  )
  assert.equal(fillMarked(filled, 'a', 'a $1 figure'), filled)
  assert.equal(fillMarked('no marks\n', 'a', 'text'), 'no marks\n')
})

test('a target is shown for every Node, and a dash where it was not measured', () => {
  const lines = targetsTable([benchResult(), benchResult()]).split('\n')
  assert.match(lines[0] ?? '', /Node 20\.0\.0 \| Node 20\.0\.0 \|$/)
  assert.ok(lines.length > 10)
  assert.ok(lines.some((line) => line.endsWith('| - | - |')))
})
