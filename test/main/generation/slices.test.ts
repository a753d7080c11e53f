import assert from 'node:assert/strict'
import { test } from 'node:test'

import { runAtOnce, runInSlices } from '../../../src/main/generation/slices.js'

test('a build goes on over as many turns of the event loop as it needs, and other work runs in between', async () => {
  let turns = 0
  let watching = true
  const watch = () => {
    turns++
    if (watching) setImmediate(watch)
  }
  setImmediate(watch)
  const gauge = { longestMs: 0 }
  assert.equal(await runInSlices(stepsOf(0.6, 10), gauge), 'built')
  watching = false
  assert.ok(turns >= 9, `two steps of 0.6 ms do not fit into one slice, so ten take ten turns (${turns})`)
  assert.ok(gauge.longestMs >= 0.6)
})

test('short steps share a slice', async () => {
  let turns = 0
  let watching = true
  const watch = () => {
    turns++
    if (watching) setImmediate(watch)
  }
  setImmediate(watch)
  await runInSlices(stepsOf(0, 5), { longestMs: 0 })
  watching = false
  assert.ok(turns <= 2, `${turns}`)
})

test('a step that throws fails the build', async () => {
  // biome-ignore lint/correctness/useYield: a build that fails at once
  function* failing(): Generator<void, string, void> {
    throw new TypeError('no')
  }
  await assert.rejects(runInSlices(failing(), { longestMs: 0 }), TypeError)
  assert.throws(() => runAtOnce(failing()), TypeError)
})

test('a build can be run at once', () => {
  assert.equal(runAtOnce(stepsOf(0, 3)), 'built')
})

function* stepsOf(stepMs: number, count: number): Generator<void, string, void> {
  for (let i = 0; i < count; i++) {
    const end = performance.now() + stepMs
    while (performance.now() < end);
    yield
  }
  return 'built'
}
