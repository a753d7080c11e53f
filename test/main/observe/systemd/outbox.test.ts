import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import type { Message } from '../../../../src/main/observe/systemd/message.js'
import { Outbox } from '../../../../src/main/observe/systemd/outbox.js'

test('messages are sent one at a time and in order, and only the last of consecutive statuses', async () => {
  const sent: Message[] = []
  let sending = 0
  const outbox = new Outbox(async (message) => {
    assert.equal(sending++, 0)
    await turn()
    sent.push(message)
    sending--
  })
  for (const message of [
    ['READY=1', 'STATUS=a'],
    ['STATUS=b'],
    ['STATUS=c'],
    ['RELOADING=1'],
    ['STATUS=d'],
    ['READY=1', 'STATUS=e'],
  ]) {
    outbox.put(message)
  }
  await outbox.flushed(10_000)
  assert.deepEqual(sent, [
    ['READY=1', 'STATUS=a'],
    ['STATUS=c'],
    ['RELOADING=1'],
    ['STATUS=d'],
    ['READY=1', 'STATUS=e'],
  ])

  outbox.put(['STATUS=f'])
  await outbox.flushed(10_000)
  assert.deepEqual(sent.at(-1), ['STATUS=f'])
})

test('a message that systemd does not accept is awaited only for the given time', async () => {
  const sent: Message[] = []
  const outbox = new Outbox((message) => {
    sent.push(message)
    return new Promise(() => {})
  })
  outbox.put(['STOPPING=1'])
  outbox.put(['EXTEND_TIMEOUT_USEC=1'])
  await outbox.flushed(1)
  assert.deepEqual(sent, [['STOPPING=1']])
})
