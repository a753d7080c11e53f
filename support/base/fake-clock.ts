import { setImmediate as turn } from 'node:timers/promises'

import type { Clock } from '../../src/main/base/clock.js'

/** A clock that only advances on request. */
export interface FakeClock extends Clock {
  /** Number of pending timers. */
  readonly pending: number
  /**
   * Advances the time and fires the timers that are due, each at its own time. The event loop turns between two timers, so
   * that work without I/O has settled before the next one.
   */
  advance(ms: number): Promise<void>
  /** Sets the wall clock forward or, with a negative number, back. Timers are not affected. */
  setWall(byMs: number): void
}

interface FakeTimer {
  readonly at: number
  readonly callback: () => void
}

/** Wall-clock time and monotonic time both start at `startMs`. */
export function fakeClock(startMs: number = Date.now()): FakeClock {
  let now = startMs
  let wallAheadMs = 0
  const timers = new Set<FakeTimer>()

  return {
    wallMs: () => now + wallAheadMs,
    monotonicMs: () => now,
    after(delayMs, callback) {
      const timer = { at: now + asNodeTakesIt(delayMs), callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    setWall(byMs) {
      wallAheadMs += byMs
    },
    get pending() {
      return timers.size
    },
    async advance(ms) {
      const end = now + ms
      for (let next = firstOf(timers); next && next.at <= end; next = firstOf(timers)) {
        timers.delete(next)
        now = Math.max(now, next.at)
        next.callback()
        await turn()
      }
      now = end
    },
  }
}

/** As in Node, a delay that exceeds 31 bits, or is not positive, fires after 1 ms. */
function asNodeTakesIt(delayMs: number): number {
  return delayMs >= 1 && delayMs <= 2_147_483_647 ? delayMs : 1
}

function firstOf(timers: ReadonlySet<FakeTimer>): FakeTimer | undefined {
  return [...timers].sort((a, b) => a.at - b.at)[0]
}
