import { MAX_TIMER_MS } from '../../base/clock.js'

/**
 * Keeps the process running until the returned function is called. All other timers of the drain are `unref`ed, and its
 * last connections may have no handle of their own.
 */
export function holdLoop(): () => void {
  const timer = setInterval(() => {}, MAX_TIMER_MS)
  return () => clearInterval(timer)
}
