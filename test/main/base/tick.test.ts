import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createTick } from '../../../src/main/base/tick.js'
import { fakeClock } from '../../../support/base/fake-clock.js'

const DAY_MS = 86_400_000

test('without an interval nothing is scheduled', async () => {
  const { clock, tick, checks } = ticking(null)
  tick.plan()
  await clock.advance(365 * DAY_MS)
  assert.deepEqual([checks.length, clock.pending, tick.dueInMs()], [0, 0, null])
})

test('checks run at the interval, each scheduled when the previous one has settled', async () => {
  const { clock, tick, checks } = ticking(1000)
  tick.plan()
  assert.equal(tick.dueInMs(), 1000)
  await clock.advance(999)
  assert.deepEqual([checks.length, tick.dueInMs()], [0, 1])
  await clock.advance(1)
  assert.deepEqual([checks.length, tick.dueInMs()], [1, 1000])
  await clock.advance(5000)
  assert.equal(checks.length, 6)
})

test('no check begins while another one runs, however long it takes', async () => {
  const { clock, tick, checks, hold, release } = ticking(1000)
  hold()
  tick.plan()
  await clock.advance(10_000)
  assert.deepEqual([checks.length, clock.pending, tick.dueInMs()], [1, 0, null])
  tick.plan()
  assert.deepEqual([clock.pending, tick.dueInMs()], [0, null])
  await release()
  assert.deepEqual([checks.length, tick.dueInMs()], [1, 1000])
})

test('a shorter and a longer interval apply as soon as they are set, without an extra check', async () => {
  const { clock, tick, checks, setInterval } = ticking(10_000)
  tick.plan()
  await clock.advance(4000)
  setInterval(1000)
  assert.deepEqual([checks.length, tick.dueInMs(), clock.pending], [0, 1000, 1])
  await clock.advance(1000)
  assert.equal(checks.length, 1)
  setInterval(60_000)
  await clock.advance(59_999)
  assert.equal(checks.length, 1)
  await clock.advance(1)
  assert.equal(checks.length, 2)
})

test('an interval that is set during a check applies from its end', async () => {
  const { clock, tick, checks, hold, release, setInterval } = ticking(1000)
  hold()
  tick.plan()
  await clock.advance(1000)
  setInterval(5000)
  await release()
  assert.deepEqual([checks.length, tick.dueInMs()], [1, 5000])
})

test('an interval can be turned off and on again', async () => {
  const { clock, tick, checks, setInterval } = ticking(1000)
  tick.plan()
  setInterval(null)
  assert.deepEqual([clock.pending, tick.dueInMs()], [0, null])
  await clock.advance(DAY_MS)
  assert.equal(checks.length, 0)
  setInterval(1000)
  await clock.advance(1000)
  assert.equal(checks.length, 1)
})

test('an immediate check replaces the scheduled one', async () => {
  const { clock, tick, checks } = ticking(1000)
  tick.plan()
  await clock.advance(400)
  tick.checkNow()
  await new Promise(setImmediate)
  assert.equal(checks.length, 1)
  await clock.advance(999)
  assert.equal(checks.length, 1)
  await clock.advance(1)
  assert.equal(checks.length, 2)
  tick.stop()
  tick.checkNow()
  assert.equal(checks.length, 2)
})

for (const days of [24, 25, 30, 24_855]) {
  test(`an interval of ${days} days fires neither at once nor late`, async () => {
    const { clock, tick, checks } = ticking(days * DAY_MS)
    tick.plan()
    assert.equal(tick.dueInMs(), days * DAY_MS)
    await clock.advance(days * DAY_MS - 1)
    assert.equal(checks.length, 0)
    await clock.advance(1)
    assert.equal(checks.length, 1)
  })
}

test('the longest interval, 68 years, neither fires nor keeps more than one timer', async () => {
  const { clock, tick, checks } = ticking(2_147_483_647_000)
  tick.plan()
  await clock.advance(60 * 365 * DAY_MS)
  assert.deepEqual([checks.length, clock.pending], [0, 1])
})

test('a delay of zero checks in a later turn, not within the call', async () => {
  const { clock, tick, checks, setInterval } = ticking(0)
  tick.plan()
  assert.equal(checks.length, 0)
  setInterval(null)
  tick.plan()
  assert.equal(clock.pending, 0)
})

test('a stopped tick schedules nothing more, even if a check was running', async () => {
  const { clock, tick, checks, hold, release } = ticking(1000)
  hold()
  tick.plan()
  await clock.advance(1000)
  tick.stop()
  await release()
  tick.plan()
  await clock.advance(DAY_MS)
  assert.deepEqual([checks.length, clock.pending, tick.dueInMs()], [1, 0, null])
})

/** A tick whose checks record when they began, and end at once unless they are held. */
function ticking(delayMs: number | null) {
  const clock = fakeClock()
  const checks: number[] = []
  let delay = delayMs
  let held: Promise<void> | null = null
  let letGo = () => {}
  const tick = createTick({
    clock,
    delayMs: () => delay,
    check: async () => {
      checks.push(clock.monotonicMs())
      await held
    },
  })
  return {
    clock,
    tick,
    checks,
    setInterval(ms: number | null) {
      delay = ms
      tick.plan()
    },
    hold() {
      held = new Promise((resolve) => {
        letGo = resolve
      })
    },
    async release() {
      letGo()
      held = null
      await clock.advance(0)
      await new Promise(setImmediate)
    },
  }
}
