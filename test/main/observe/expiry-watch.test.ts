import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type ExpiryNotice, ExpiryWatch } from '../../../src/main/observe/expiry-watch.js'
import { fakeClock } from '../../support/fake-clock.js'
import { recordingLogger } from '../../support/recording-logger.js'

const DAY = 86_400_000

test('each threshold is told once, when it comes, and the end itself', async () => {
  const { told, clock, watch, logger } = watched(90)
  await clock.advance(59 * DAY)
  assert.deepEqual(told(), [])
  await clock.advance(DAY)
  assert.deepEqual(told(), [30])
  await clock.advance(24 * DAY)
  assert.deepEqual(told(), [7])
  await clock.advance(10 * DAY)
  assert.deepEqual(told(), [1, 0])
  await clock.advance(1000 * DAY)
  assert.deepEqual(told(), [])
  assert.deepEqual(
    logger.lines.map(({ level }) => level),
    ['warn', 'warn', 'warn', 'error'],
  )
  watch.stop()
  assert.equal(clock.pending, 0)
})

test('of thresholds that have passed already only the last is told', async () => {
  const { told, clock } = watched(90, 85)
  await clock.advance(10)
  assert.deepEqual(told(), [7])
})

test('a certificate that lives a month is not near its end in its first days', async () => {
  const { told, clock } = watched(30)
  await clock.advance(20 * DAY)
  assert.deepEqual(told(), [])
  await clock.advance(4 * DAY)
  assert.deepEqual(told(), [7])
})

test('a renewal starts anew', async () => {
  const { told, clock, watch } = watched(90)
  await clock.advance(61 * DAY)
  assert.deepEqual(told(), [30])
  watch.watch(2, subjectOf(clock.wallMs(), 90))
  await clock.advance(59 * DAY)
  assert.deepEqual(told(), [])
})

test('a generation with the same certificate says nothing again', async () => {
  const { told, clock, watch, subject } = watched(90)
  await clock.advance(61 * DAY)
  assert.deepEqual(told(), [30])
  watch.watch(2, subject)
  await clock.advance(DAY)
  assert.deepEqual(told(), [])
})

test('without a host there is nothing to watch, until one comes', async () => {
  const { told, clock, watch, subject } = watched(90)
  watch.watch(2, null)
  await clock.advance(80 * DAY)
  assert.deepEqual(told(), [])
  watch.watch(3, { ...subject, id: 'a.test' })
  await clock.advance(10)
  assert.deepEqual(told(), [30])
})

/** A watch over a certificate of so many days, so many of which are over. */
function watched(days: number, over = 0) {
  const clock = fakeClock()
  const logger = recordingLogger()
  const notices: ExpiryNotice[] = []
  const subject = subjectOf(clock.wallMs() - over * DAY, days)
  const watch = new ExpiryWatch([30, 7, 1], clock, logger, (notice) => notices.push(notice))
  watch.watch(1, subject)
  return {
    clock,
    watch,
    subject,
    logger,
    told: () => notices.splice(0).map(({ thresholdDays }) => thresholdDays),
  }
}

function subjectOf(startMs: number, days: number) {
  const notBefore = new Date(startMs).toISOString()
  const notAfter = new Date(startMs + days * DAY).toISOString()
  return { fingerprint256: `from ${notBefore}`, notBefore, notAfter }
}
