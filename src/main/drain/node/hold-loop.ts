import { LONGEST_TIMER_MS } from '../../base/clock.js'

/**
 * Keeps the process running until the returned function is called. Every other timer of the drain lets it end, and
 * so would a drain whose last connections have no handle of their own.
 */
export function holdLoop(): () => void {
  const timer = setInterval(() => {}, LONGEST_TIMER_MS)
  return () => clearInterval(timer)
}
