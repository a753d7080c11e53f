import assert from 'node:assert/strict'
import { test } from 'node:test'

import { DerivationBudget, TooCostly } from '../../../src/workers/formats/derivation-budget.js'

test('a budget limits the sum of all work, and the error names the part that exceeds it', () => {
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

test('an estimate of work does not use up the budget', () => {
  const budget = new DerivationBudget()
  const work = { cost: 10_000_000, effort: 'much' }
  budget.assertAllows(work)
  budget.assertAllows(work)
  assert.throws(() => budget.assertAllows({ ...work, cost: 20_000_000 }), TooCostly)
  assert.equal(budget.isExceeded, true)
})
