import assert from 'node:assert/strict'

import type { ProblemCode } from '../../src/workers/base/problem.js'
import { ProblemError } from '../../src/workers/base/problem.js'

/** The problem that `act` throws; any other error is a bug of the code under test. */
export function problemOf(act: () => unknown): ProblemError['problem'] {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof ProblemError, `threw ${error}`)
    return error.problem
  }
  assert.fail('nothing was refused')
}

/** Runs `act`; returns `null` if it throws a problem with one of these codes. */
export function orProblem<T>(codes: readonly ProblemCode[], act: () => T): T | null {
  try {
    return act()
  } catch (error) {
    assert.ok(error instanceof ProblemError && codes.includes(error.problem.code), `threw ${error}`)
    return null
  }
}
