import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Cell, Scope } from '../../bench/bench.js'
import { printResult } from '../../bench/print.js'
import { runBench } from '../../bench/run.js'

test('a failed measurement costs only its own result, and is reported with its reason', async () => {
  let round = 0
  const well: Cell = {
    ...{ scenario: 'fair weather', variant: 'a', seconds: 0 },
    measure: async () => ({ figures: { ms: 1 } }),
  }
  const sometimes: Cell = {
    ...{ scenario: 'storm', variant: 'b', seconds: 0 },
    async measure() {
      if (++round === 2) throw new Error('the server ended')
      return { figures: { ms: round } }
    },
  }
  const never: Cell = {
    ...{ scenario: 'flood', variant: 'c', seconds: 0, rounds: 1 },
    measure: () => Promise.reject(new Error('no server')),
  }
  const result = await runBench([scopeOf([well, sometimes, never])], {
    ...{ scopes: ['weather'], whole: false, quick: true, node: process.execPath, rounds: 3 },
  })
  const rows = result.scopes[0]?.rows.map(({ variant, figures }) => [variant, figures['ms']?.values])
  assert.deepEqual(rows, [
    ['a', [1, 1, 1]],
    ['b', [1, 3]],
  ])
  const failures = result.failures?.map(({ scenario, round, why }) => [scenario, round, why]).sort()
  assert.deepEqual(failures, [
    ['flood', 1, 'no server'],
    ['storm', 2, 'the server ended'],
  ])
  assert.match(printResult(result), /FAILED {2}weather: b, storm \(round 2\): the server ended/)
})

test('a run of selected scopes measures in every round what a whole run measures in fewer, and long measurements once', async () => {
  const taken = { usual: 0, fewer: 0, long: 0 }
  const cell = (scenario: keyof typeof taken, rounds: Partial<Cell>): Cell => ({
    ...{ scenario, variant: 'a', seconds: 0, ...rounds },
    async measure() {
      taken[scenario]++
      return { figures: { ms: 1 } }
    },
  })
  const cells = [cell('usual', {}), cell('fewer', { roundsOfWhole: 2 }), cell('long', { rounds: 1 })]
  const options = { scopes: ['weather'], quick: false, node: process.execPath, rounds: 5 }
  await runBench([scopeOf(cells)], { ...options, whole: true })
  assert.deepEqual(taken, { usual: 5, fewer: 2, long: 1 })
  await runBench([scopeOf(cells)], { ...options, whole: false })
  assert.deepEqual(taken, { usual: 10, fewer: 7, long: 2 })
})

test('a run without failures mentions no failures', async () => {
  const cell: Cell = {
    ...{ scenario: 'fair weather', variant: 'a', seconds: 0 },
    measure: async () => ({ figures: { ms: 1 } }),
  }
  const options = { scopes: ['weather'], whole: false, quick: true, node: process.execPath, rounds: 1 }
  assert.equal('failures' in (await runBench([scopeOf([cell])], options)), false)
})

function scopeOf(cells: Cell[]): Scope {
  return { name: 'weather', title: 'Weather', columns: { ms: 'ms' }, cells: () => cells }
}
