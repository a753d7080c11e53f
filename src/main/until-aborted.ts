import { ReloadError } from './errors.js'

/** The promise, or `ABORTED` as soon as the signal says so; what was begun goes on. */
export function untilAborted<T>(pass: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () =>
      reject(
        new ReloadError('ABORTED', 'the caller stopped waiting for the reload', { cause: signal.reason }),
      )
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    pass.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
