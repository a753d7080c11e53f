import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import fc from 'fast-check'

import { createPassQueue } from '../../src/main/engine/pass-queue.js'

const KINDS = ['reload', 'forced reload', 'dry run'] as const

/** A sequence of events: a caller arrives, or the running pass ends, successfully or not. */
const events = fc.array(
  fc.oneof(
    fc.record({ arrives: fc.constantFrom(...KINDS) }),
    fc.record({ ends: fc.constantFrom('well', 'badly') }),
  ),
  { maxLength: 30 },
)

test('whenever callers arrive, one pass runs at a time, and each caller gets a pass that began after its arrival', async () => {
  await fc.assert(
    fc.asyncProperty(events, async (story) => {
      const queue = createPassQueue()
      const waiting: (typeof KINDS)[number][] = []
      const callers: Promise<void>[] = []
      let begun = 0
      /** Ends the pass that runs. */
      const flight: { end: ((how: string) => void) | null } = { end: null }

      const pass = (kind: (typeof KINDS)[number]) => async () => {
        assert.equal(flight.end, null, 'two passes at once')
        const number = ++begun
        assert.ok(waiting.includes(kind), 'a pass that no caller waits for')
        waiting.splice(waiting.indexOf(kind), 1)
        const how = await new Promise<string>((resolve) => {
          flight.end = resolve
        })
        flight.end = null
        if (how === 'badly') throw number
        return number
      }
      const arrive = (kind: (typeof KINDS)[number]) => {
        const before = begun
        if (!waiting.includes(kind)) waiting.push(kind)
        const settled = queue.run(kind, pass(kind)).catch((number: number) => number)
        callers.push(settled.then((number) => assert.ok(number > before, 'a pass from before the request')))
        assert.ok(waiting.length <= KINDS.length, 'more than one of a kind in the queue')
      }
      for (const event of story) {
        if ('arrives' in event) arrive(event.arrives)
        else flight.end?.(event.ends)
        await turn()
      }
      while (flight.end) {
        flight.end('well')
        await turn()
      }
      await Promise.all(callers)
      assert.deepEqual(waiting, [], 'a caller was forgotten')
    }),
  )
})

test('whenever a queue closes, every caller gets an answer and no pass runs any more', async () => {
  await fc.assert(
    fc.asyncProperty(events, async (story) => {
      const queue = createPassQueue()
      const answers: Promise<string>[] = []
      let running = 0
      let end = () => {}
      for (const event of story) {
        if ('ends' in event) end()
        else {
          const answer = queue.run(event.arrives, async () => {
            running++
            await new Promise<void>((resolve) => {
              end = resolve
            })
            running--
          })
          answers.push(answer.then(() => 'served').catch(({ code }) => code))
        }
        await turn()
      }
      const closing = queue.close()
      await turn()
      assert.ok(running <= 1)
      end()
      await closing
      assert.equal(running, 0)
      for (const answer of await Promise.all(answers))
        assert.ok(['served', 'CLOSED'].includes(answer), answer)
    }),
  )
})
