import assert from 'node:assert/strict'
import { test } from 'node:test'

import { OwnSignals } from '../../../src/main/drain/own-signals.js'

test('a signal to this process, or to its process group, is its own, once; one to others is not', () => {
  const source = { pid: 7, kill: (): true => true }
  const own = new OwnSignals(source as never)
  const kill = (pid: number) => (source.kill as typeof process.kill)(pid, 'SIGTERM')
  for (const pid of [7, -7, 0, '7' as never]) {
    kill(pid)
    assert.deepEqual([own.take('SIGINT'), own.take('SIGTERM'), own.take('SIGTERM')], [false, true, false])
  }
  for (const pid of [8, -8]) {
    kill(pid)
    assert.equal(own.take('SIGTERM'), false)
  }
})

test('removing the last watcher restores the original state', () => {
  const source = { pid: 7, kill: (): true => true }
  const { kill } = source
  const [first, second] = [new OwnSignals(source as never), new OwnSignals(source as never)]
  second.release()
  first.release()
  assert.equal(source.kill, kill)
})
