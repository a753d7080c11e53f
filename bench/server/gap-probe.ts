import { setTimeout as sleep } from 'node:timers/promises'

import { mainThreadClock, mainThreadSleeps } from './thread-clock.js'

/** A turn of the event loop that was not over at once. */
export interface Turn {
  readonly endMs: number
  /** By the wall clock: what a connection that came at the worst moment would have waited. */
  readonly gapMs: number
  /** So much of it was the program's own doing, by running or by sleeping; the rest was taken by the machine. */
  readonly heldMs: number
  /** Whether the event loop had anything to handle in it: a message, a connection, data. Timers do not count. */
  readonly isIdle: boolean
}

/** The longest of some turns. */
export type LongestTurn = Pick<Turn, 'gapMs' | 'heldMs'>

/**
 * Looks at the loop on every turn by `setImmediate`, because a timer cannot see what is shorter than itself
 * (`monitorEventLoopDelay` is blind below a millisecond). It uses a core for as long as it looks.
 */
export class GapProbe {
  readonly #cpuMs = mainThreadClock()
  #looking = false
  #last: Moment = { wallMs: 0, cpuMs: 0 }
  #sleeps = 0
  #events = 0
  #turns: Turn[] = []

  /** The turns worth a word from the beginning of `act` until `tailMs` after its end. */
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

  /** Both clocks at one moment: read anew when something came in between. */
  #moment(): Moment {
    for (let attempt = 1; ; attempt++) {
      const beforeMs = performance.now()
      const cpuMs = this.#cpuMs()
      const wallMs = performance.now()
      if (wallMs - beforeMs < SHORT_MS || attempt === 5) return { wallMs, cpuMs }
    }
  }

  /** A thread that did not go to sleep held the loop for as long as it ran: what is missing was taken from it. */
  #heldIn(gapMs: number, { cpuMs }: Moment): number {
    const ranMs = Math.min(gapMs, cpuMs - this.#last.cpuMs)
    if (gapMs - ranMs < SHORT_MS) return ranMs
    const before = this.#sleeps
    this.#sleeps = mainThreadSleeps()
    return this.#sleeps === before ? ranMs : gapMs
  }
}

const SHORT_MS = 0.05

/** By libuv's books. */
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
