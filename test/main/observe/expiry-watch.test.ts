import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Generation } from '../../../src/main/generation/generation.js'
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
  watch.watch(generationOf(clock.wallMs(), 90))
  await clock.advance(59 * DAY)
  assert.deepEqual(told(), [])
})

/** A watch over a certificate of so many days, so many of which are over. */
function watched(days: number, over = 0) {
  const clock = fakeClock()
  const logger = recordingLogger()
  const notices: ExpiryNotice[] = []
  const watch = new ExpiryWatch([30, 7, 1], clock, logger, (notice) => notices.push(notice))
  watch.watch(generationOf(clock.wallMs() - over * DAY, days))
  return { clock, watch, logger, told: () => notices.splice(0).map(({ thresholdDays }) => thresholdDays) }
}

function generationOf(startMs: number, days: number): Generation {
  const notBefore = new Date(startMs).toISOString()
  const notAfter = new Date(startMs + days * DAY).toISOString()
  return { number: 1, certificates: [{ fingerprint256: 'AB', notBefore, notAfter }] } as unknown as Generation
}
