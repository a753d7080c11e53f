/** The source of time. Injected, so that tests can control it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  wallMs(): number
  /** Milliseconds that never decrease. */
  monotonicMs(): number
  /** Calls back once. Does not keep the process running. @returns a function that cancels it. */
  after(delayMs: number, callback: () => void): () => void
}

/** The longest delay of a timer, in milliseconds. A longer one would overflow, and Node's timer fires at once. */
export const MAX_TIMER_MS = 2_147_483_647

/**
 * The longest delay of a timer that depends on the wall clock, in milliseconds. Timers follow the monotonic clock: they do not
 * fire earlier when the wall clock is set forward, and they stop while the machine is suspended.
 */
export const MAX_WALL_SLEEP_MS = 60_000

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref()
    return () => clearTimeout(timer)
  },
}
