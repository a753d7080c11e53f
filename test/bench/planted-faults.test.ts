/* The bench detects faults: an engine that is broken on purpose is distinguished from one that is not. */

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { cleanUp } from '../../bench/cleanup.js'
import { PLAIN } from '../../bench/material/shapes.js'
import { measureGap } from '../../bench/scopes/gap.js'
import { measureRotations, type RotationFigures } from '../../bench/scopes/rotations.js'
import type { Fault } from '../../bench/server/faults.js'

after(cleanUp)

const REFERENCE = process.platform === 'linux' ? false : 'needs the scheduler statistics of Linux'
const ROTATIONS = 12

test('a commit that holds the event loop for 20 ms is measured as a turn of 20 ms', {
  skip: REFERENCE,
}, async () => {
  const [sound, spoiled] = [await longestTurnMs(), await longestTurnMs('slow-commit')]
  assert.ok(spoiled >= 18, `the longest turn was ${spoiled} ms`)
  assert.ok(sound < spoiled / 2, `the longest turn was ${sound} ms without the fault`)
})

test('a swap that loses the ticket keys is measured as lost sessions', { skip: REFERENCE }, async () => {
  const { sessionsOffered, sessionsLost, tornSwaps } = await rotate('dropped-tickets')
  assert.ok(sessionsOffered > 0)
  assert.ok(sessionsLost > 0)
  assert.equal(tornSwaps, 0)
})

test('servers that are swapped in different turns are measured as disagreeing', {
  skip: REFERENCE,
}, async () => {
  const { tornSwaps } = await rotate('torn-swap')
  assert.ok(tornSwaps > 0)
})

test('no fault is reported where there is none', { skip: REFERENCE }, async () => {
  const figures = await rotate()
  const { rotations, swaps, handshakesFailed, sessionsLost, requestsFailed, connectionsClosed, tornSwaps } =
    figures
  assert.equal(rotations, ROTATIONS)
  assert.equal(swaps, ROTATIONS)
  assert.deepEqual(
    [handshakesFailed, sessionsLost, requestsFailed, connectionsClosed, tornSwaps],
    [0, 0, 0, 0, 0],
  )
})

async function longestTurnMs(fault?: Fault): Promise<number> {
  const subject = { technique: 'certswap', ...(fault ? { fault } : {}) } as const
  const { figures } = await measureGap(process.execPath, PLAIN, subject, 5)
  const { leastOwnHeldMs = Number.NaN } = figures
  return leastOwnHeldMs
}

async function rotate(fault?: Fault): Promise<RotationFigures> {
  return await measureRotations(process.execPath, ROTATIONS, fault)
}
