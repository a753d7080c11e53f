import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { EventHub } from '../../../src/main/base/event-hub.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'

interface Events {
  applied: [number]
  rejected: [string]
}

function hub() {
  const logger = recordingLogger()
  return { logger, events: new EventHub<Events>(logger), seen: [] as unknown[] }
}

test('listeners are called in their order, and those of another event are not', () => {
  const { events, seen } = hub()
  events.on('applied', (number) => seen.push(['first', number]))
  events.on('rejected', (code) => seen.push(code))
  events.on('applied', (number) => seen.push(['second', number]))
  events.emit('applied', 7)
  assert.deepEqual(seen, [
    ['first', 7],
    ['second', 7],
  ])
})

test('a one-time listener is called once, and a removed one is not called', () => {
  const { events, seen } = hub()
  const listener = () => seen.push('off')
  events.once('applied', (number) => seen.push(number))
  events.on('applied', listener)
  events.off('applied', listener)
  events.emit('applied', 1)
  events.emit('applied', 2)
  assert.deepEqual(seen, [1])
})

test('a listener that throws is logged, and the others are still called', () => {
  const { events, seen, logger } = hub()
  events.once('applied', () => {
    throw new Error('mine')
  })
  events.on('applied', (number) => seen.push(number))
  events.emit('applied', 1)
  assert.deepEqual(seen, [1])
  assert.deepEqual(logger.takeLines(), ['error a listener of the reload engine threw'])
})

test('a listener that rejects later is logged, and does not end the process', async () => {
  const { events, logger } = hub()
  const rejecting = async () => {
    await turn()
    throw new Error('mine')
  }
  events.on('applied', rejecting as () => void)
  events.emit('applied', 1)
  await turn()
  await turn()
  assert.deepEqual(logger.takeLines(), ['error a listener of the reload engine threw'])
})

test('after clearing, no listener is called', () => {
  const { events, seen } = hub()
  events.on('applied', (number) => seen.push(number))
  events.clear()
  events.emit('applied', 1)
  assert.deepEqual(seen, [])
})
