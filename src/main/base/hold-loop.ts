import { MAX_TIMER_MS } from './clock.js'

/**
 * Keeps the process running until the returned function is called. All other timers are `unref`ed, and what the caller waits
 * for may have no handle of its own.
 */
export function holdLoop(): () => void {
  const timer = setInterval(() => {}, MAX_TIMER_MS)
  return () => clearInterval(timer)
}
