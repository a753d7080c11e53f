import assert from 'node:assert/strict'
import { test } from 'node:test'

import { takeEnvironment } from '../../../../src/main/observe/systemd/environment.js'

test("systemd's variables are removed from the environment, and returned again on a later call", () => {
  const env = {
    NOTIFY_SOCKET: '/run/notify',
    WATCHDOG_USEC: '2000000',
    WATCHDOG_PID: String(process.pid),
    A: 'b',
  }
  const first = takeEnvironment(env)
  assert.deepEqual(first, { socket: '/run/notify', watchdogMs: 2000 })
  assert.deepEqual(env, { A: 'b' })
  assert.equal(takeEnvironment(env), first)
})

test('without systemd there is no address to notify', () => {
  assert.deepEqual(takeEnvironment({}), { socket: null, watchdogMs: null })
  assert.deepEqual(takeEnvironment({ NOTIFY_SOCKET: '' }), { socket: null, watchdogMs: null })
})

test('the watchdog of another process, and an invalid interval, are ignored', () => {
  const watchdogOf = (variables: NodeJS.ProcessEnv) => takeEnvironment({ ...variables }).watchdogMs
  assert.equal(watchdogOf({ WATCHDOG_USEC: '1000' }), 1)
  assert.equal(watchdogOf({ WATCHDOG_USEC: '1000', WATCHDOG_PID: String(process.pid + 1) }), null)
  for (const interval of ['0', '-5', 'soon', '']) assert.equal(watchdogOf({ WATCHDOG_USEC: interval }), null)
})
