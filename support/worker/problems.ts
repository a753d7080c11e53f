import assert from 'node:assert/strict'

import type { ProblemCode } from '../../src/workers/base/problem.js'
import { ProblemError } from '../../src/workers/base/problem.js'

/** What `act` refuses with; an error that is no problem is a mistake of the code under test. */
export function problemOf(act: () => unknown): ProblemError['problem'] {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof ProblemError, `threw ${error}`)
    return error.problem
  }
  assert.fail('nothing was refused')
}

/** Runs `act`; a problem of one of these codes is an answer too, and then `null` comes back. */
export function orProblem<T>(codes: readonly ProblemCode[], act: () => T): T | null {
  try {
    return act()
  } catch (error) {
    assert.ok(error instanceof ProblemError && codes.includes(error.problem.code), `threw ${error}`)
    return null
  }
}
