import { untilAborted } from '../base/until-aborted.js'
import { DrainError } from './errors.js'

/**
 * Waits for the completion until the signal aborts.
 *
 * @throws DrainError `ABORTED`
 */
export function waitFor<T>(completion: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return completion
  const abortion = (cause: unknown) =>
    new DrainError('ABORTED', 'the caller stopped waiting for the drain', { cause })
  return untilAborted(completion, signal, abortion)
}
