import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Snapshot } from '../../../src/main/generation/generation.js'
import { Renewals } from '../../../src/main/generation/renewals.js'
import { NO_TRUST_ENDS } from '../../../src/workers/protocol/ends.js'

test('the first generation is no renewal, nor is the same one again', () => {
  const renewals = new Renewals()
  assert.equal(renewals.next(served(1, 'A')), null)
  assert.equal(renewals.next(served(1, 'A')), null)
})

test('a generation that was replaced before the next look is not reported, but what it changed is', () => {
  const renewals = new Renewals()
  renewals.next(served(1, 'A'))
  assert.deepEqual(renewals.next(served(3, 'B')), { generation: 3, leaf: true, trust: 'unchanged' })
})

test('the return to an earlier generation is reported as any other change', () => {
  const renewals = new Renewals()
  for (const generation of [1, 2]) renewals.next(served(generation, `${generation}`))
  assert.deepEqual(renewals.next(served(1, '1')), { generation: 1, leaf: true, trust: 'unchanged' })
})

test('a second pair that is added changes the leaf', () => {
  const renewals = new Renewals()
  renewals.next(served(1, 'A'))
  assert.equal(renewals.next(served(2, 'A', 'B'))?.leaf, true)
})

/** Chains are distinguished only by their bytes. */
function served(number: number, ...chains: readonly string[]): Snapshot {
  return {
    generation: { number },
    material: {
      pairs: chains.map((chain) => ({ chain: Buffer.from(chain), key: Buffer.alloc(0) })),
      trust: { authorities: null, revocationLists: [], ends: NO_TRUST_ENDS, problems: [] },
    },
    options: { context: {} },
  } as unknown as Snapshot
}
