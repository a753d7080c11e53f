import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { createPassQueue } from '../../../src/main/engine/pass-queue.js'

test('a pass on a free queue begins at once', async () => {
  const { run, log, finish } = passQueue()
  const result = run('reload', 'a')
  assert.deepEqual(log, ['a begins'])
  finish('a')
  assert.equal(await result, 'a')
})

test('passes run one after the other, in the order of their arrival', async () => {
  const { run, log, finish } = passQueue()
  const results = [run('reload', 'a'), run('dry run', 'b'), run('reload', 'c')]
  for (const name of ['a', 'b', 'c']) {
    assert.equal(log.at(-1), `${name} begins`)
    finish(name)
    await turn()
  }
  assert.deepEqual(await Promise.all(results), ['a', 'b', 'c'])
  assert.deepEqual(log, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('a caller that arrives during a pass gets the result of one that begins after it', async () => {
  const { run, finish } = passQueue()
  const first = run('reload', 'a')
  const second = run('reload', 'b')
  finish('a')
  assert.equal(await first, 'a')
  await turn()
  finish('b')
  assert.equal(await second, 'b')
})

test('callers of one kind share the queued pass; those of another kind do not', async () => {
  const { run, log, finish } = passQueue()
  const first = run('reload', 'a')
  const joiners = [
    run('reload', 'b'),
    run('reload', 'never'),
    run('forced reload', 'c'),
    run('reload', 'never'),
  ]
  assert.equal(joiners[0], joiners[1])
  assert.notEqual(joiners[0], joiners[2])
  for (const name of ['a', 'b', 'c']) {
    finish(name)
    await turn()
  }
  assert.deepEqual(await Promise.all([first, ...joiners]), ['a', 'b', 'b', 'c', 'b'])
  assert.ok(!log.includes('never begins'))
})

test('a symbol is a kind of its own', async () => {
  const { run, finish } = passQueue()
  const results = [run('x', 'a'), run(Symbol('x'), 'b'), run(Symbol('x'), 'c')]
  for (const name of ['a', 'b', 'c']) {
    finish(name)
    await turn()
  }
  assert.deepEqual(await Promise.all(results), ['a', 'b', 'c'])
})

test('a pass that fails, now or later, fails only its callers, and the queue continues', async () => {
  const { queue: own, run, finish } = passQueue()
  const error = new Error('mine')
  const running = run('reload', 'a')
  const later = [own.run('x', () => Promise.reject(error)), own.run('x', () => Promise.resolve(1))]
  const atOnce = own.run('y', () => {
    throw error
  })
  const last = run('z', 'b')
  const refusals = [...later, atOnce].map((one) => assert.rejects(one, error))
  finish('a')
  await Promise.all(refusals)
  finish('b')
  assert.deepEqual([await running, await last], ['a', 'b'])
})

test('a pass that throws at once on a free queue fails its caller, and the queue continues', async () => {
  const { queue: own, run, finish } = passQueue()
  const error = new Error('mine')
  await assert.rejects(
    own.run('x', () => {
      throw error
    }),
    error,
  )
  const next = run('x', 'a')
  finish('a')
  assert.equal(await next, 'a')
})

test('a queue that closes refuses queued and new passes, and waits for the running one', async () => {
  const { queue: own, run, log, finish } = passQueue()
  const running = run('reload', 'a')
  const queued = [run('reload', 'b'), run('reload', 'b'), run('dry run', 'c')]
  let closed = false
  const closing = own.close().then(() => {
    closed = true
  })
  await Promise.all(queued.map((one) => assert.rejects(one, { code: 'CLOSED' })))
  await assert.rejects(run('reload', 'd'), { code: 'CLOSED' })
  await turn()
  assert.equal(closed, false)
  finish('a')
  await closing
  assert.equal(await running, 'a')
  assert.deepEqual(log, ['a begins', 'a ends'])
})

test('a free queue closes at once, and twice', async () => {
  const { queue: own, run } = passQueue()
  await own.close()
  await own.close()
  await assert.rejects(run('reload', 'a'), { code: 'CLOSED' })
})

/** A queue whose passes end when the test lets them. */
function passQueue() {
  const own = createPassQueue()
  const log: string[] = []
  const ends = new Map<string, () => void>()
  return {
    queue: own,
    log,
    run: (kind: string | symbol, name: string) =>
      own.run(kind, async () => {
        log.push(`${name} begins`)
        await new Promise<void>((resolve) => ends.set(name, resolve))
        log.push(`${name} ends`)
        return name
      }),
    finish(name: string) {
      const end = ends.get(name)
      assert.ok(end, `${name} does not run`)
      end()
    },
  }
}
