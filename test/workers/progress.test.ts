import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  beginTask,
  createProgressBuffer,
  endTask,
  type Progress,
  placeOf,
  stepsOf,
  touching,
  unmarked,
} from '../../src/workers/progress.js'

test('a task that has ended leaves its buffer alone: another thread may use it by then', async () => {
  const progress = newProgress()
  beginTask(progress)
  touching('/a')
  const look = deferred()
  const looking = unmarked(() => look.promise)
  endTask(progress)
  touching('/b')
  look.resolve()
  await looking
  touching('/c')
  assert.deepEqual([placeOf(progress.buffer)?.path, stepsOf(progress.buffer)], ['/a', 1])
})

test('a look leaves no mark in the task that runs, and the task goes on with its own afterwards', async () => {
  const progress = newProgress()
  beginTask(progress)
  await unmarked(async () => touching('/a'))
  assert.equal(placeOf(progress.buffer), null)
  touching('/b')
  assert.equal(placeOf(progress.buffer)?.path, '/b')
  endTask(progress)
})

function newProgress(): Progress {
  return { buffer: createProgressBuffer(), number: 1, poisons: [] }
}

function deferred() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
