import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { GapProbe, longestOf } from '../../bench/server/gap-probe.js'

const elsewhere = process.platform === 'linux' ? false : 'needs the scheduler statistics of Linux'

test('a turn that sleeps is held for as long as it sleeps', { skip: elsewhere }, async () => {
  const sleepers = new Int32Array(new SharedArrayBuffer(4))
  const held = await heldBy(() => {
    // A thread that loses the processor before it sleeps does not sleep; this does not happen three times in a row.
    for (let i = 0; i < 3; i++) Atomics.wait(sleepers, 0, 0, 10)
  })
  assert.ok(held >= 30, `${held}`)
})

test('a turn that computes is held for as long as it has the processor', { skip: elsewhere }, async () => {
  const used = (since?: NodeJS.CpuUsage) => process.cpuUsage(since)
  const computed = await heldBy(() => {
    const start = used()
    while (used(start).user + used(start).system < 60_000);
  })
  // Other computing threads of the process take their share.
  assert.ok(computed > 10, `${computed}`)
})

async function heldBy(act: () => unknown): Promise<number> {
  const turns = await new GapProbe().during(async () => {
    await turn()
    act()
  }, 5)
  return longestOf(turns).heldMs
}
