/**
 * Every code that a {@link DrainError} can carry:
 *
 * - `OPTIONS_INVALID`: an option of `createDrain`, `start` or `handleSignals`, or an argument of `track` or of a `close...`
 *   helper, was refused; the message names each.
 * - `SERVER_TAKEN`: a server belongs to another drain; close that drain first.
 * - `DRAIN_STARTED`: a second `start` gave another redirect URI; the first URI is kept.
 * - `DRAIN_NOT_STARTED`: `force` was called before `start`; to close everything at once, use `start({ deadlineMs: 0 })`.
 * - `DRAIN_NOT_CANCELLABLE`: `cancel` was called outside the lame-duck phase, or after a start with `cancellable: false`.
 * - `ABORTED`: the caller's signal ended the wait; the drain continues.
 * - `CLOSED`: the drain was closed; it no longer watches its servers.
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

/** Misuse of a drain. Failures of connections never throw: they are in the result, the events and the log. */
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
