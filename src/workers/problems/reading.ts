import { type ProblemCode, ProblemError } from '../base/problem.js'

/**
 * Error boundary of every reader of file bytes: an error becomes a problem of this code and path, unless it already is
 * one. Readers and native code throw many kinds of errors for unreadable bytes; none of them may end the task, and none
 * of their messages is repeated, because it may quote the input.
 *
 * @throws ProblemError
 */
export function reading<T>(code: ProblemCode, what: string, path: string | undefined, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ProblemError) throw error
    throw new ProblemError(code, what, path)
  }
}
