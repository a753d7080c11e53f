import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { collectEveryThread } from '../../bench/server/collect-garbage.js'

const DROPS_AN_OBJECT = `
  const { parentPort } = require('node:worker_threads')
  const registry = new FinalizationRegistry(() => parentPort.postMessage('collected'))
  registry.register({})
  parentPort.on('message', () => {})
  parentPort.postMessage('dropped')
`

test('the garbage of every thread is collected before memory is measured', async (t) => {
  const workers = [1, 2].map(() => new Worker(DROPS_AN_OBJECT, { eval: true }))
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const ours = new FinalizationRegistry<void>(() => collected())
  let collected = () => {}
  const main = new Promise<void>((resolve) => {
    collected = resolve
  })
  ours.register({}, undefined)
  const theirs = workers.map((worker) => once(worker, 'message'))
  await collectEveryThread()
  const messages = await Promise.all(theirs)
  assert.deepEqual(messages, [['collected'], ['collected']])
  await main
})
