import { setImmediate as turn } from 'node:timers/promises'

import type { Clock } from '../../src/main/base/clock.js'

/** A clock that stands still until it is told to move on. */
export interface FakeClock extends Clock {
  /** Timers that are still to fire. */
  readonly pending: number
  /**
   * Moves the time on and fires what falls due on the way, each at its own time. Between two timers the event loop
   * turns, so that what one began without I/O has settled before the next.
   */
  advance(ms: number): Promise<void>
  /** Sets the wall clock forward or, with a negative number, back. Timers do not notice. */
  setWall(byMs: number): void
}

interface FakeTimer {
  readonly at: number
  readonly callback: () => void
}

/** Both of its times begin at `startMs`. */
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

/** A delay that does not fit into 31 bits fires at once, which is what a test must see; so do none and less. */
function asNodeTakesIt(delayMs: number): number {
  return delayMs >= 1 && delayMs <= 2_147_483_647 ? delayMs : 1
}

function firstOf(timers: ReadonlySet<FakeTimer>): FakeTimer | undefined {
  return [...timers].sort((a, b) => a.at - b.at)[0]
}
