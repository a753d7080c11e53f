import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { hungThreads } from '../../../src/main/threads/hung-threads.js'
import { threadBudget } from '../../../src/main/threads/thread-budget.js'

test('two threads may be started while one hangs, and two again in a later hang, whatever still runs', async (t) => {
  const first = await hangs()
  const kept = [thread(), thread()]
  t.after(() => kept.map((worker) => worker.terminate()))
  assert.equal(threadBudget.mayStart, true)
  for (const worker of kept) threadBudget.started(worker)
  assert.equal(threadBudget.mayStart, false)
  await first.terminate()
  const second = await hangs()
  assert.equal(threadBudget.mayStart, true)
  await second.terminate()
})

/** A thread that counts as hung until it ends. */
async function hangs(): Promise<Worker> {
  const worker = thread()
  await once(worker, 'online')
  hungThreads.add(worker, null, 0)
  return worker
}

function thread(): Worker {
  return new Worker('setInterval(() => {}, 1000)', { eval: true })
}
