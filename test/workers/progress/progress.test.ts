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
} from '../../../src/workers/progress/progress.js'

test('a task that has ended does not write to its buffer: another thread may use it by then', () => {
  const progress = newProgress()
  beginTask(progress)
  touching('/a')
  endTask(progress)
  touching('/b')
  assert.deepEqual([placeOf(progress.buffer)?.path, stepsOf(progress.buffer)], ['/a', 1])
})

function newProgress(): Progress {
  return { buffer: createProgressBuffer(), number: 1, poisons: [] }
}
