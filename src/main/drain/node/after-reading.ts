import type { Clock } from '../../base/clock.js'

/**
 * Calls back after `ms`, once the bytes received by then have been read. After the loop was blocked, timers run before
 * sockets, so peers would be judged without bytes that have already arrived. Returns a function that cancels it.
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
