import type { Clock } from '../../base/clock.js'

/** Runs `act` with a signal that aborts after the time, or with `life`. */
export async function withTimeLimit<T>(
  clock: Clock,
  limitMs: number,
  life: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  const abort = () => limit.abort()
  const cancel = clock.after(limitMs, abort)
  if (life.aborted) abort()
  life.addEventListener('abort', abort, { once: true })
  try {
    return await act(limit.signal)
  } finally {
    cancel()
    life.removeEventListener('abort', abort)
  }
}

/** Resolves after the time, or with `life`. */
export function pause(clock: Clock, delayMs: number, life: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      life.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    if (life.aborted) done()
    else life.addEventListener('abort', done, { once: true })
  })
}
