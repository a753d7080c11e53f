import assert from 'node:assert/strict'
import { test } from 'node:test'

import { figureOf, median, percentiles, resampled, shuffled } from '../../bench/statistics.js'

test('a figure is the median with the lowest and the highest value, and keeps the measured values', () => {
  assert.deepEqual(figureOf([9, 1, 4]), { median: 4, low: 1, high: 9, values: [9, 1, 4] })
  assert.equal(median([1, 2, 3, 10]), 2.5)
  assert.equal(median([]), Number.NaN)
})

test('percentiles are computed from sorted values, whatever their original order', () => {
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

test('resamples of equal values give one value, and of different values a range around the statistic', () => {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  assert.deepEqual(resampled([3, 3, 3], mean), { from: 3, to: 3 })
  const values = Array.from({ length: 100 }, (_, i) => i)
  const { from, to } = resampled(values, mean)
  // The standard error of the mean is 2.9.
  assert.ok(from > 35 && from < 49.5, `${from}`)
  assert.ok(to > 49.5 && to < 64, `${to}`)
})
