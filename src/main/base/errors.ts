import { type Problem, type ProblemCode, problemOf } from '../../workers/base/problem.js'

/**
 * The one error class of certswap: a stable `code`, one sentence, and the facts as fields.
 *
 * Trouble with files never throws out of a check; it becomes a `rejected` result. This error is thrown for misuse
 * (`OPTIONS_INVALID`, `CLOSED`), for a first load that fails, and when a caller's signal aborts (`ABORTED`).
 */
export class ReloadError extends Error {
  static {
    ReloadError.prototype.name = 'ReloadError'
  }

  readonly code: ProblemCode
  /** The file that it is about, when there is one. */
  readonly path: string | undefined
  /** Everything that was wrong; the first of them gave `code` and `path`. */
  readonly problems: readonly Problem[]

  constructor(code: ProblemCode, message: string, options: ReloadErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.path = options.path ?? options.problems?.[0]?.path
    this.problems = options.problems ?? [problemOf(code, message, this.path)]
  }
}

export interface ReloadErrorOptions {
  readonly cause?: unknown
  readonly path?: string
  readonly problems?: readonly Problem[]
}
