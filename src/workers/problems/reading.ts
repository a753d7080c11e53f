import { type ProblemCode, ProblemError } from '../base/problem.js'

/**
 * The boundary around every reader of bytes that come from a file: what it throws becomes a problem of this code, at
 * this path, unless it is a problem already. Readers and native code throw errors of many kinds for bytes that they
 * cannot read; none of them may end the task, and none of their messages, which may quote the input, is repeated.
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
