import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  beginTask,
  createProgressBuffer,
  endTask,
  lookingIn,
  type Progress,
  placeOf,
  stepsOf,
  touching,
} from '../../../src/workers/progress/progress.js'

test('a task that has ended leaves its buffer alone: another thread may use it by then', () => {
  const progress = newProgress()
  beginTask(progress)
  touching('/a')
  endTask(progress)
  touching('/b')
  assert.deepEqual([placeOf(progress.buffer)?.path, stepsOf(progress.buffer)], ['/a', 1])
})

test('a look leaves its marks in a buffer of its own, and the task goes on with its own afterwards', () => {
  const progress = newProgress()
  const looks = createProgressBuffer()
  beginTask(progress)
  lookingIn(looks, () => touching('/a'))
  assert.deepEqual([placeOf(progress.buffer), placeOf(looks)?.path], [null, '/a'])
  touching('/b')
  assert.deepEqual([placeOf(progress.buffer)?.path, placeOf(looks)?.path], ['/b', '/a'])
  endTask(progress)
})

function newProgress(): Progress {
  return { buffer: createProgressBuffer(), number: 1, poisons: [] }
}
