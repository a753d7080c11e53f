import { ReloadError } from './errors.js'

/** Settles as `promise` does, or rejects as soon as the signal aborts. The work itself continues. */
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
