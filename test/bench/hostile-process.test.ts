import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { test } from 'node:test'

import { startHostileProcess } from '../../bench/load/hostile-process.js'

const SESSIONS_COUNT = existsSync('/proc/self/autogroup')

test('hostile clients have the lowest priority when processes share a core', async () => {
  const hostile = startHostileProcess()
  try {
    assert.equal(getPriority(hostile.pid), 19)
  } finally {
    await hostile.stop()
  }
})

test('hostile clients have the lowest priority when sessions share a core, too', {
  skip: SESSIONS_COUNT ? false : 'this kernel has no CONFIG_SCHED_AUTOGROUP',
}, async () => {
  const hostile = startHostileProcess()
  try {
    assert.match(readFileSync(`/proc/${hostile.pid}/autogroup`, 'utf8'), / nice 19$/m)
  } finally {
    await hostile.stop()
  }
})
