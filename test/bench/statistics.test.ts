import assert from 'node:assert/strict'
import { test } from 'node:test'

import { figureOf, median, percentiles, shuffled } from '../../bench/statistics.js'

test('a figure is the median with the lowest and the highest, and keeps what was measured', () => {
  assert.deepEqual(figureOf([9, 1, 4]), { median: 4, low: 1, high: 9, values: [9, 1, 4] })
  assert.equal(median([1, 2, 3, 10]), 2.5)
  assert.equal(median([]), Number.NaN)
})

test('percentiles are read from the values in order, whatever order they came in', () => {
  const values = shuffled(Array.from({ length: 1001 }, (_, i) => i))
  assert.deepEqual(percentiles('x', values), { xP50Ms: 500, xP99Ms: 990, xP999Ms: 999, xMaxMs: 1000 })
})

test('a shuffled list has the same members', () => {
  const items = Array.from({ length: 100 }, (_, i) => i)
  assert.deepEqual(
    shuffled(items).sort((a, b) => a - b),
    items,
  )
})
