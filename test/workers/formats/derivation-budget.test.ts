import assert from 'node:assert/strict'
import { test } from 'node:test'

import { DerivationBudget, TooCostly } from '../../../src/workers/formats/derivation-budget.js'

test('a budget holds for the sum of all work, and says what was too much', () => {
  const budget = new DerivationBudget()
  const work = { cost: 7_000_000, effort: '2000000 iterations' }
  budget.spend(work)
  budget.spend(work)
  assert.equal(budget.isExceeded, false)
  assert.throws(
    () => budget.spend(work),
    (error) => {
      assert.ok(error instanceof TooCostly)
      assert.match(error.message, /2000000 iterations/)
      return true
    },
  )
  assert.equal(budget.isExceeded, true)
})

test('work that is only asked about is not spent', () => {
  const budget = new DerivationBudget()
  const work = { cost: 10_000_000, effort: 'much' }
  budget.assertAllows(work)
  budget.assertAllows(work)
  assert.throws(() => budget.assertAllows({ ...work, cost: 20_000_000 }), TooCostly)
  assert.equal(budget.isExceeded, true)
})
