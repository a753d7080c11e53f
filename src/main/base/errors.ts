import { type Problem, type ProblemCode, problemOf } from '../../workers/base/problem.js'

/**
 * The only error class of certswap: a stable `code`, a message of one sentence, and the facts as fields.
 *
 * A problem with the files never makes a check throw; it becomes a `rejected` result. This error is thrown for misuse
 * (`OPTIONS_INVALID`, `CLOSED`), for a failed first load, and when a caller's signal aborts (`ABORTED`).
 */
export class ReloadError extends Error {
  static {
    ReloadError.prototype.name = 'ReloadError'
  }

  readonly code: ProblemCode
  /** The affected file, if there is one. */
  readonly path: string | undefined
  /** All problems; `code` and `path` are those of the first. */
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
