/**
 * Every code that a {@link DrainError} can carry:
 *
 * - `OPTIONS_INVALID`: an option of `createDrain`, `start` or `handleSignals`, or what `track` or a hook's helper was given,
 *   was refused; the message names each.
 * - `SERVER_TAKEN`: a server belongs to another drain, which would send its own goodbyes; close that one first.
 * - `DRAIN_STARTED`: a second `start` named another redirect URI; the first is kept.
 * - `DRAIN_NOT_STARTED`: `force` before `start`; to end everything at once, `start({ deadlineMs: 0 })`.
 * - `DRAIN_NOT_CANCELLABLE`: `cancel` outside the lame duck, or after a start that was final.
 * - `ABORTED`: the caller's signal ended the wait; the drain goes on.
 * - `CLOSED`: the drain was closed; it no longer watches anything.
 */
export const DRAIN_ERROR_CODES = [
  'OPTIONS_INVALID',
  'SERVER_TAKEN',
  'DRAIN_STARTED',
  'DRAIN_NOT_STARTED',
  'DRAIN_NOT_CANCELLABLE',
  'ABORTED',
  'CLOSED',
] as const

/** One of {@link DRAIN_ERROR_CODES}. */
export type DrainErrorCode = (typeof DRAIN_ERROR_CODES)[number]

/** Misuse of a drain. What happens to connections never throws: it is in the result, the events and the log. */
export class DrainError extends Error {
  static {
    DrainError.prototype.name = 'DrainError'
  }

  readonly code: DrainErrorCode

  constructor(code: DrainErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
  }
}
