import assert from 'node:assert/strict'
import { test } from 'node:test'

import { runAtOnce, runInSlices } from '../../../src/main/generation/slices.js'

test('a build continues over as many turns of the event loop as it needs, and other work runs in between', async () => {
  const gauge = { longestMs: 0 }
  const turns = await turnsDuring(async () => {
    assert.equal(await runInSlices(stepsOf(0.6, 10), gauge), 'built')
  })
  assert.ok(turns >= 9, `two steps of 0.6 ms do not fit into one slice, so ten take ten turns (${turns})`)
  assert.ok(gauge.longestMs >= 0.6)
})

test('short steps share a slice', async () => {
  const turns = await turnsDuring(() => runInSlices(stepsOf(0, 50), { longestMs: 0 }))
  assert.ok(turns < 50, `${turns}`)
})

test('the first slice waits for a new turn, because the caller has used part of the current one', async () => {
  let begun = false
  function* build(): Generator<void, void, void> {
    begun = true
    yield
  }
  const built = runInSlices(build(), { longestMs: 0 })
  await new Promise(process.nextTick)
  assert.equal(begun, false)
  await built
  assert.equal(begun, true)
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

/** The number of turns of the event loop while `act` ran. */
async function turnsDuring(act: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let watching = true
  const watch = () => {
    turns++
    if (watching) setImmediate(watch)
  }
  setImmediate(watch)
  await act()
  watching = false
  return turns
}

function* stepsOf(stepMs: number, count: number): Generator<void, string, void> {
  for (let i = 0; i < count; i++) {
    const end = performance.now() + stepMs
    while (performance.now() < end);
    yield
  }
  return 'built'
}
