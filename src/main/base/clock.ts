/** Time, as everything here takes it: injected, so that a test can hold it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  wallMs(): number
  /** Milliseconds that never go back. */
  monotonicMs(): number
  /** Calls back once, does not hold the process open, and returns a function that cancels it. */
  after(delayMs: number, callback: () => void): () => void
}

/** The longest delay of a timer, in milliseconds. A longer one would overflow, and Node's timer fires at once. */
export const LONGEST_TIMER_MS = 2_147_483_647

/**
 * The longest that anything which depends on the wall clock may sleep, in milliseconds. Timers follow the monotonic clock:
 * they do not fire earlier when the wall clock is set forward, and they stand still while the machine is suspended.
 */
export const LONGEST_WALL_SLEEP_MS = 60_000

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref()
    return () => clearTimeout(timer)
  },
}
