import assert from 'node:assert/strict'
import http from 'node:http'
import test, { type TestContext } from 'node:test'

import { createDrain, type Drain } from '../../../src/main/drain/index.js'
import { FinalDrain } from '../../../src/main/drain/service-manager.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'

test('a drain that closes informs the service manager once, and requests time until it has ended', async (t) => {
  const { drain, calls, final } = followed(t)
  let destroy = () => {}
  const closed = new Promise<void>((resolve) => {
    destroy = resolve
  })
  drain.track({ goaway() {}, closed, destroy: () => destroy() })
  drain.start({ lameDuckMs: 1_000, deadlineMs: 60_000 })
  assert.deepEqual(calls, [])
  drain.start({ lameDuckMs: 0 })
  assert.deepEqual(calls.splice(0), ['stopping', 'extend 30000'])

  t.mock.timers.tick(20_000)
  assert.deepEqual(calls.splice(0), ['extend 30000', 'extend 30000'])
  drain.force()
  await drain.complete()
  t.mock.timers.tick(60_000)
  assert.deepEqual(calls, [])
  final.release()
})

test('a lame duck that can be cancelled is not reported, until a signal makes it final', (t) => {
  const { drain, calls, final } = followed(t)
  drain.start({ lameDuckMs: 5_000 })
  drain.cancel()
  drain.start({ lameDuckMs: 5_000 })
  assert.deepEqual(calls, [])
  final.begin()
  assert.deepEqual(calls, ['stopping', 'extend 30000'])
  final.release()
  drain.start({ deadlineMs: 0 })
  assert.equal(calls.length, 2)
})

test('an engine without a drain is sent nothing', (t) => {
  const drain = drainFor(t)
  new FinalDrain(drain, { extend: () => assert.fail('there is no service manager') }).begin()
  drain.close()
})

function followed(t: TestContext): { drain: Drain; calls: string[]; final: FinalDrain } {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const drain = drainFor(t)
  const calls: string[] = []
  const final = new FinalDrain(drain, {
    stopping: () => calls.push('stopping'),
    extend: (ms) => calls.push(`extend ${ms}`),
  })
  return { drain, calls, final }
}

function drainFor(t: TestContext): Drain {
  const drain = createDrain({ servers: [http.createServer()], logger: recordingLogger() })
  t.after(() => drain.close())
  return drain
}
