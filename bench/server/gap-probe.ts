import { setTimeout as sleep } from 'node:timers/promises'

import { mainThreadClock, mainThreadSleeps } from './thread-clock.js'

/** A long turn of the event loop. */
export interface Turn {
  readonly endMs: number
  /** Wall-clock time: the longest wait of a connection that arrived during the turn. */
  readonly gapMs: number
  /** The part in which the program itself ran or slept; the rest was lost to the machine. */
  readonly heldMs: number
  /** Whether the event loop had no event to handle: no message, connection or data. Timers do not count. */
  readonly isIdle: boolean
}

/** The longest turn. */
export type LongestTurn = Pick<Turn, 'gapMs' | 'heldMs'>

/**
 * Measures every turn of the loop by `setImmediate`, because timers cannot see delays below their resolution
 * (`monitorEventLoopDelay` misses those below a millisecond). It uses a whole core while it runs.
 */
export class GapProbe {
  readonly #cpuMs = mainThreadClock()
  #looking = false
  #last: Moment = { wallMs: 0, cpuMs: 0 }
  #sleeps = 0
  #events = 0
  #turns: Turn[] = []

  /** The long turns from the start of `act` until `tailMs` after its end. */
  async during(act: () => Promise<unknown>, tailMs: number): Promise<readonly Turn[]> {
    this.#looking = true
    this.#turns = []
    this.#sleeps = mainThreadSleeps()
    this.#last = this.#moment()
    this.#events = handledEvents()
    setImmediate(() => this.#look())
    await act()
    await sleep(tailMs)
    this.#looking = false
    return this.#turns
  }

  #look(): void {
    if (!this.#looking) return
    const now = this.#moment()
    const gapMs = now.wallMs - this.#last.wallMs
    const events = handledEvents()
    if (gapMs > SHORT_MS) {
      const isIdle = events === this.#events
      this.#turns.push({ endMs: now.wallMs, gapMs, heldMs: this.#heldIn(gapMs, now), isIdle })
    }
    this.#last = now
    this.#events = events
    setImmediate(() => this.#look())
  }

  /** Both clocks at the same time; they are read again if the readings were interrupted. */
  #moment(): Moment {
    for (let attempt = 1; ; attempt++) {
      const beforeMs = performance.now()
      const cpuMs = this.#cpuMs()
      const wallMs = performance.now()
      if (wallMs - beforeMs < SHORT_MS || attempt === 5) return { wallMs, cpuMs }
    }
  }

  /** A thread that did not sleep held the loop for its processor time; the rest was lost to the machine. */
  #heldIn(gapMs: number, { cpuMs }: Moment): number {
    const ranMs = Math.min(gapMs, cpuMs - this.#last.cpuMs)
    if (gapMs - ranMs < SHORT_MS) return ranMs
    const before = this.#sleeps
    this.#sleeps = mainThreadSleeps()
    return this.#sleeps === before ? ranMs : gapMs
  }
}

const SHORT_MS = 0.05

/** Number of events that libuv has handled. */
function handledEvents(): number {
  return performance.nodeTiming.uvMetricsInfo.events
}

interface Moment {
  readonly wallMs: number
  readonly cpuMs: number
}

export function longestOf(turns: readonly Turn[]): LongestTurn {
  return {
    gapMs: Math.max(0, ...turns.map(({ gapMs }) => gapMs)),
    heldMs: Math.max(0, ...turns.map(({ heldMs }) => heldMs)),
  }
}
