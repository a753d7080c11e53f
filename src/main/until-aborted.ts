/** Waits no longer than the caller wants to; what was waited for goes on. */
export function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  abortion: (cause: unknown) => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortion(signal.reason))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
