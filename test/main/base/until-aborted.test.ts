import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { untilAborted } from '../../../src/main/base/until-aborted.js'

test('a promise that settles before the signal passes through, fulfilled or rejected, and leaves no listener', async () => {
  const { signal } = new AbortController()
  assert.equal(await untilAborted(Promise.resolve(5), signal), 5)
  await assert.rejects(untilAborted(Promise.reject(new TypeError('mine')), signal), TypeError)
  await turn()
  assert.deepEqual(getEventListeners(signal, 'abort'), [])
})

test('the signal ends the wait, with its reason as the cause; a later failure of the operation is ignored', async () => {
  const controller = new AbortController()
  let fail: (error: Error) => void = () => {}
  const begun = new Promise((_, reject) => {
    fail = reject
  })
  const wait = untilAborted(begun, controller.signal)
  controller.abort('no time')
  await assert.rejects(wait, { name: 'ReloadError', code: 'ABORTED', cause: 'no time' })
  fail(new Error('too late to be noticed'))
  await turn()
})

test('a signal that was already aborted ends the wait at once', async () => {
  const never = new Promise(() => {})
  await assert.rejects(untilAborted(never, AbortSignal.abort()), { code: 'ABORTED' })
})
