import { ReloadError } from './errors.js'

/** The promise, or `ABORTED` as soon as the signal says so; what was begun goes on. */
export function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  abortion: (cause: unknown) => Error = reloadAbortion,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortion(signal.reason))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** @internal */
export function reloadAbortion(cause: unknown): ReloadError {
  return new ReloadError('ABORTED', 'the caller stopped waiting for the reload', { cause })
}
