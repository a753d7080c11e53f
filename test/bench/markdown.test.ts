import assert from 'node:assert/strict'
import { test } from 'node:test'

import { fillMarked, provenance, targetsTable } from '../../bench/report/markdown.js'
import { figureIn, withRunApart } from '../../bench/result.js'
import { benchResult } from './bench-result.js'

test('the text between the marks is replaced, any number of times, and the rest is kept', () => {
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

test('the results of a separate run replace those of the whole run, and the page says which', () => {
  const whole = benchResult()
  const [gap] = whole.scopes.filter(({ name }) => name === 'gap')
  assert.ok(gap)
  const apart = {
    ...whole,
    rounds: 20,
    startedAt: '2026-11-21T00:00:00.000Z',
    scopes: [{ ...gap, rows: [] }],
  }
  const both = withRunApart(whole, apart)
  assert.equal(figureIn(both, 'gap', 'EC pair, 1 server', 'certswap', 'gapMs'), undefined)
  assert.deepEqual(
    both.scopes.filter(({ name }) => name !== 'gap'),
    whole.scopes.filter(({ name }) => name !== 'gap'),
  )
  assert.match(provenance([both]), /^- 2026-11-20, .*\n- Of these, gap: 2026-11-21, .* of 1 min\.$/)
})
