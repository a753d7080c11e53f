import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { createLane } from '../../src/main/lane.js'

test('one pass runs at a time, and callers that come in the middle share the next', async () => {
  const lane = createLane()
  const passes: (() => void)[] = []
  const pass = () => new Promise<number>((resolve) => passes.push(() => resolve(passes.length)))
  const first = lane.run('reload', pass)
  const others = Array.from({ length: 99 }, () => lane.run('reload', pass))
  assert.equal(passes.length, 1)
  passes[0]?.()
  assert.equal(await first, 1)
  await Promise.resolve()
  passes[1]?.()
  assert.deepEqual(new Set(await Promise.all(others)), new Set([2]))
  assert.equal(passes.length, 2)
})

test('passes of different kinds do not share a result, and run in the order in which they came', async () => {
  const lane = createLane()
  const order: string[] = []
  const pass = (name: string) => async () => {
    order.push(name)
    return name
  }
  const results = [
    lane.run('reload', pass('reload')),
    lane.run('forced', pass('forced')),
    lane.run('dry run', pass('dry run')),
    lane.run(Symbol('update'), pass('update 1')),
    lane.run(Symbol('update'), pass('update 2')),
  ]
  assert.deepEqual(await Promise.all(results), ['reload', 'forced', 'dry run', 'update 1', 'update 2'])
  assert.deepEqual(order, ['reload', 'forced', 'dry run', 'update 1', 'update 2'])
})

test('a pass that fails fails for its callers alone', async () => {
  const lane = createLane()
  const failed = lane.run('reload', () => Promise.reject(new Error('no')))
  const next = lane.run('reload', async () => 'yes')
  await assert.rejects(failed, { message: 'no' })
  assert.equal(await next, 'yes')
})

test('close refuses what is queued and what comes, and waits for what runs', async () => {
  const lane = createLane()
  let finish: (value: string) => void = () => {}
  const running = lane.run('reload', () => new Promise<string>((resolve) => (finish = resolve)))
  const queued = lane.run('reload', async () => 'never')
  let closed = false
  const closing = lane.close().then(() => (closed = true))
  await assert.rejects(queued, { code: 'CLOSED' })
  await assert.rejects(
    lane.run('reload', async () => 'never'),
    { code: 'CLOSED' },
  )
  assert.equal(closed, false)
  finish('done')
  assert.equal(await running, 'done')
  await closing
})

test('whatever arrives when: never two passes at once, and nobody gets a pass that began before he came', async () => {
  const arrivals = fc.array(fc.record({ kind: fc.constantFrom('a', 'b'), turns: fc.nat(3) }), {
    maxLength: 30,
  })
  await fc.assert(
    fc.asyncProperty(arrivals, async (callers) => {
      const lane = createLane()
      let running = 0
      let begun = 0
      const answers = []
      for (const { kind, turns } of callers) {
        const before = begun
        const answer = lane.run(kind, async () => {
          const number = ++begun
          assert.equal(++running, 1)
          await new Promise(setImmediate)
          running--
          return number
        })
        answers.push(answer.then((number) => assert.ok(number > before)))
        for (let i = 0; i < turns; i++) await new Promise(setImmediate)
      }
      await Promise.all(answers)
    }),
    { numRuns: 50 },
  )
})
