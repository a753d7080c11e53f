import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createHttpsSource } from '../../../../src/main/sources/https/https-source.js'
import { fakeClock } from '../../../../support/base/fake-clock.js'
import { status } from '../../../../support/servers/material-service.js'
import { httpsSite } from '../../../../support/sources/https-site.js'

const url = 'https://certs.internal/identity'

test('the source asks for a poll after 75 % to 125 % of the interval, until it is closed', async () => {
  const clock = fakeClock()
  const draws = [0, 1, 0.5]
  const source = createHttpsSource({ url, pollSeconds: 100 }, { clock, random: () => draws.shift() ?? 0 })
  let polls = 0
  source.watch?.((...names) => {
    assert.deepEqual(names, [])
    polls++
  })
  for (const seconds of [75, 125, 100]) {
    const before = polls
    await clock.advance(seconds * 1000 - 1)
    assert.equal(polls, before)
    await clock.advance(1)
    assert.equal(polls, before + 1)
  }
  await source.close?.()
  assert.equal(clock.pending, 0)
})

test('no poll is asked for within the time of `Retry-After`', async (t) => {
  const source = () => ({ pollSeconds: 10 })
  const site = await httpsSite(t, status(503, { 'retry-after': '35' }), { source })
  let polls = 0
  site.source.watch?.(() => polls++)
  await site.refusal()
  await site.clock.advance(30_000)
  assert.equal(polls, 0)
  await site.clock.advance(10_000)
  assert.equal(polls, 1)
})

test('without polls, only the timer of the engine asks', () => {
  const parts = { clock: fakeClock(), random: () => 0 }
  assert.equal(createHttpsSource({ url, pollSeconds: 0 }, parts).watch, undefined)
})
