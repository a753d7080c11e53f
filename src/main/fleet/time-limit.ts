import type { Clock } from '../base/clock.js'

/** Extra time for members after this process was suspended or blocked: a share of the limit, but at least this many ms. */
const EXTRA_PART = 0.25
const MIN_EXTRA_MS = 50

/**
 * Calls back when the time limit of the members is over.
 *
 * When a process resumes after a suspension, or after its main thread was blocked, the timer is overdue while replies are
 * still unread. Replies that have arrived are read first, and members that were suspended as well, as in a frozen container,
 * get extra time.
 *
 * @returns a function that cancels it.
 */
export function afterTimeLimit(clock: Clock, timeoutMs: number, act: () => void): () => void {
  const extraMs = Math.max(MIN_EXTRA_MS, timeoutMs * EXTRA_PART)
  const dueMs = clock.monotonicMs() + timeoutMs
  let isCancelled = false
  // The event loop reads channels between timers and immediates.
  const end = () => void setImmediate(() => isCancelled || act())
  let cancelTimer = clock.after(timeoutMs, () => {
    const isOverdue = clock.monotonicMs() - dueMs > extraMs
    if (isOverdue) cancelTimer = clock.after(extraMs, end)
    else end()
  })
  return () => {
    isCancelled = true
    cancelTimer()
  }
}
