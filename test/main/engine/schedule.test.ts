import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type CheckState, nextDelayMs } from '../../../src/main/engine/schedule.js'

const YEAR = 365 * 86_400_000
const HOUR = 3_600_000

/** With files. */
const delayOf = (state: Omit<CheckState, 'sourceDelayMs'>) => nextDelayMs({ ...state, sourceDelayMs: null })

test('without problems the next check runs at the interval, and none runs when it is off', () => {
  assert.equal(delayOf({ intervalMs: HOUR, trouble: null, lifeLeftMs: YEAR }), HOUR)
  assert.equal(delayOf({ intervalMs: 0, trouble: null, lifeLeftMs: YEAR }), null)
})

test('a pair that does not match is checked after 50 to 800 ms and then at the interval, also when checks are off', () => {
  const delays = (intervalMs: number) =>
    [0, 1, 2, 3, 4, 5, 6].map((retries) =>
      delayOf({ intervalMs, trouble: { kind: 'waiting', retries }, lifeLeftMs: YEAR }),
    )
  assert.deepEqual(delays(HOUR), [50, 100, 200, 400, 800, HOUR, HOUR])
  assert.deepEqual(delays(0), [50, 100, 200, 400, 800, null, null])
})

test('a failure is checked again quickly, then with a growing delay up to the interval', () => {
  const delays = [0, 4, 5, 6, 7, 20].map((retries) =>
    delayOf({ intervalMs: 10_000, trouble: { kind: 'failing', retries }, lifeLeftMs: YEAR }),
  )
  assert.deepEqual(delays, [50, 800, 1000, 2000, 4000, 10_000])
})

test('a failure is not checked again when checks are off', () => {
  assert.equal(delayOf({ intervalMs: 0, trouble: { kind: 'failing', retries: 0 }, lifeLeftMs: YEAR }), null)
})

test('problems never make a short interval longer', () => {
  for (const retries of [0, 3, 9]) {
    const delay = delayOf({ intervalMs: 20, trouble: { kind: 'failing', retries }, lifeLeftMs: YEAR })
    assert.ok(delay !== null && delay <= 20)
  }
})

test('near the expiry of the certificate checks become more frequent, up to one a second', () => {
  const delay = (lifeLeftMs: number) => delayOf({ intervalMs: HOUR, trouble: null, lifeLeftMs })
  assert.equal(delay(2 * HOUR), HOUR / 2)
  assert.equal(delay(5000), 1250)
  assert.equal(delay(100), 1000)
  assert.equal(delay(-HOUR), 1000)
})

test('after a failure of a source, its own delay decides, also when checks are off', () => {
  const failing = { kind: 'failing', retries: 0 } as const
  for (const intervalMs of [0, HOUR]) {
    assert.equal(nextDelayMs({ intervalMs, trouble: failing, lifeLeftMs: YEAR, sourceDelayMs: 1500 }), 1500)
  }
})
