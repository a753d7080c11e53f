import type { Clock } from '../base/clock.js'

/** What members get once more where this process was held up: a part of the time, and no less than so many milliseconds. */
const EXTRA_PART = 0.25
const LEAST_EXTRA_MS = 50

/**
 * Calls back once members have had their time to answer; returns a function that cancels it.
 *
 * A process that was suspended, or whose main thread was blocked, finds its timer overdue and the answers unread when it goes
 * on. Answers that have come are read first, and members that were suspended with it, as in a frozen container, get a part of
 * the time once more.
 */
export function afterTimeLimit(clock: Clock, timeoutMs: number, act: () => void): () => void {
  const extraMs = Math.max(LEAST_EXTRA_MS, timeoutMs * EXTRA_PART)
  const dueMs = clock.monotonicMs() + timeoutMs
  let isCancelled = false
  // The event loop reads channels between its timers and this.
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
