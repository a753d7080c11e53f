import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createTick } from '../../src/main/tick.js'
import { fakeClock } from '../support/fake-clock.js'

const DAY = 86_400_000

test('checks come at the interval, one after the other', async () => {
  const clock = fakeClock()
  let checks = 0
  const tick = createTick({ clock, delayMs: () => 1000, check: async () => ++checks })
  tick.plan()
  await clock.advance(3500)
  assert.equal(checks, 3)
  assert.equal(tick.dueInMs(), 500)
})

test('a check that takes longer than the interval is never joined by another', async () => {
  const clock = fakeClock()
  let running = 0
  let most = 0
  let finish = () => {}
  const check = () =>
    new Promise<void>((resolve) => {
      most = Math.max(most, ++running)
      finish = () => {
        running--
        resolve()
      }
    })
  const tick = createTick({ clock, delayMs: () => 100, check })
  tick.plan()
  await clock.advance(1000)
  tick.plan()
  await clock.advance(1000)
  assert.equal(running, 1)
  finish()
  await clock.advance(0)
  await clock.advance(100)
  assert.equal(running, 1, 'the next one began after the first had ended')
  assert.equal(most, 1)
})

test('an interval can be turned off and on again while it runs', async () => {
  const clock = fakeClock()
  let delay: number | null = 1000
  let checks = 0
  const tick = createTick({ clock, delayMs: () => delay, check: async () => ++checks })
  tick.plan()
  delay = null
  tick.plan()
  await clock.advance(10_000)
  assert.equal(checks, 0)
  assert.equal(tick.dueInMs(), null)
  assert.equal(clock.pending, 0)
  delay = 200
  tick.plan()
  await clock.advance(250)
  assert.equal(checks, 1)
})

test('an interval beyond what a timer can hold does not fire at once, but when it is due', async () => {
  const clock = fakeClock()
  let checks = 0
  const tick = createTick({ clock, delayMs: () => 60 * DAY, check: async () => ++checks })
  tick.plan()
  await clock.advance(59 * DAY)
  assert.equal(checks, 0)
  await clock.advance(DAY)
  assert.equal(checks, 1)
})

test('after stop nothing is planned, not even by a check that was running', async () => {
  const clock = fakeClock()
  let finish = () => {}
  const check = () => new Promise<void>((resolve) => (finish = resolve))
  const tick = createTick({ clock, delayMs: () => 100, check })
  tick.plan()
  await clock.advance(100)
  tick.stop()
  finish()
  await clock.advance(1000)
  tick.plan()
  assert.equal(clock.pending, 0)
})
