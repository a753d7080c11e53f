/* Some peers end the worker. The others are still judged. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { judgeAll } from '../../../src/main/attach/judge-all.js'
import { systemClock } from '../../../src/main/base/clock.js'
import { openWorker, type Worker } from '../../../src/main/threads/pool.js'
import type { PeerChain } from '../../../src/workers/protocol/judge-peers.js'
import { eventually } from '../../../support/base/eventually.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { standIn } from '../../../support/worker/stand-in.js'

test('peers that end, throw in or hang the worker are not accepted, and are found among hundreds', async (t) => {
  const peers = Array.from({ length: 300 }, () => 'honest')
  const poison = new Map([
    [3, 'exits'],
    [150, 'throws'],
    [151, 'spins'],
  ])
  for (const [i, what] of poison) peers[i] = what
  const { verdicts, logged } = await judged(t, peers)
  assert.deepEqual(
    verdicts.flatMap((accepted, i) => (accepted ? [] : [i])),
    [...poison.keys()],
  )
  assert.equal(logged.filter(({ level }) => level === 'warn').length, 3)
})

test('a worker that failed once costs no peer its connection', async (t) => {
  const { verdicts } = await judged(t, ['once'])
  assert.deepEqual(verdicts, [true])
})

test('peers that did not fit into the time of a task are judged by the next', async (t) => {
  const { verdicts, tasks } = await judged(t, ['slow', 'slow', 'slow'])
  assert.deepEqual(verdicts, [true, true, true])
  assert.equal(tasks, 3)
})

test('thousands of peers are judged in tasks of limited size', async (t) => {
  const { verdicts, tasks } = await judged(
    t,
    Array.from({ length: 2_001 }, () => 'honest'),
  )
  assert.equal(verdicts.length, 2_001)
  assert.ok(verdicts.every(Boolean))
  assert.equal(tasks, 5)
})

test('an unavailable worker is tried again, and finally every client that was not judged is refused', async (t) => {
  const clock = fakeClock()
  const logger = recordingLogger()
  let settled = false
  const verdicts = judgeAll(
    [chainOf('honest')],
    { ...trust, authorities: Buffer.from('down') },
    {
      worker: preparerFor(t),
      clock,
      logger,
    },
  ).finally(() => {
    settled = true
  })
  for (let wait = 1; wait <= 5; wait++) {
    await eventually('it waits for the next attempt', () => clock.pending === 1)
    await clock.advance(10_000)
  }
  assert.deepEqual(await verdicts, [false])
  assert.equal(settled, true)
  assert.deepEqual(
    logger.lines.map(({ level }) => level),
    ['warn', 'warn', 'warn', 'warn', 'warn', 'error'],
  )
})

const trust = { authorities: null, formerAuthorities: null, revocationLists: [], partialChain: false }

async function judged(t: TestContext, peers: readonly string[]) {
  const logger = recordingLogger()
  const real = preparerFor(t)
  let tasks = 0
  const worker: Pick<Worker, 'judgePeers'> = {
    judgePeers(task) {
      tasks++
      return real.judgePeers(task)
    },
  }
  const verdicts = await judgeAll(peers.map(chainOf), trust, { worker, clock: systemClock, logger })
  return { verdicts, tasks, logged: logger.lines }
}

function preparerFor(t: TestContext): Worker {
  const limits = {
    timeoutMs: 1_000,
    idleTimeoutMs: 60_000,
    memoryLimitMb: 64,
    maxFileBytes: 1_024,
    maxCrlBytes: 1_024,
  }
  const worker = openWorker(limits, systemClock, standIn('judges-or-dies'))
  t.after(() => worker.close())
  return worker
}

/** Memory that the worker shares, so that it can record what it did before it died. */
function chainOf(what: string): PeerChain {
  const leaf = new Uint8Array(new SharedArrayBuffer(what.length))
  leaf.set(Buffer.from(what))
  return { certificates: [leaf], completed: false }
}
