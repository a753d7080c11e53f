import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  beginTask,
  createProgressBuffer,
  endTask,
  markTouched,
  type Progress,
  placeOf,
  stepsOf,
} from '../../../src/workers/progress/progress.js'

test('a task that has ended does not write to its buffer: another thread may use it by then', () => {
  const progress = newProgress()
  beginTask(progress)
  markTouched('/a')
  endTask(progress)
  markTouched('/b')
  assert.deepEqual([placeOf(progress.buffer)?.path, stepsOf(progress.buffer)], ['/a', 1])
})

function newProgress(): Progress {
  return { buffer: createProgressBuffer(), number: 1, refusedFiles: [] }
}
