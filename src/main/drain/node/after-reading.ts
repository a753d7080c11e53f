import type { Clock } from '../../base/clock.js'

/**
 * Calls back after `ms`, once what has arrived by then has been taken in. In a loop that was held up timers come before
 * sockets, and peers would be judged by bytes that have not been read yet. Returns a function that cancels it.
 */
export function afterReading(clock: Clock, ms: number, callback: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined
  const cancel = clock.after(ms, () => {
    immediate = setImmediate(callback)
  })
  return () => {
    cancel()
    clearImmediate(immediate)
  }
}
