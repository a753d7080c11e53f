import { setTimeout as sleep } from 'node:timers/promises'

import { mainThreadSleeps, mainThreadTimes, type ThreadTimes } from './thread-clock.js'

/** A turn of the event loop that was not over at once. */
export interface Turn {
  readonly endMs: number
  /** By the wall clock: what a connection that came at the worst moment would have waited. */
  readonly gapMs: number
  /** So much of it was the program's own doing, by running or by sleeping; the rest was taken by the machine. */
  readonly heldMs: number
}

/** The longest of some turns. */
export type LongestTurn = Pick<Turn, 'gapMs' | 'heldMs'>

/**
 * Looks at the loop on every turn by `setImmediate`, because a timer cannot see what is shorter than itself
 * (`monitorEventLoopDelay` is blind below a millisecond). It uses a core for as long as it looks.
 */
export class GapProbe {
  readonly #times = mainThreadTimes()
  #looking = false
  #lastMs = 0
  #last: ThreadTimes = { cpuMs: 0, delayedMs: 0 }
  #sleeps = 0
  #turns: Turn[] = []

  /** The turns worth a word from the beginning of `act` until `tailMs` after its end. */
  async during(act: () => Promise<unknown>, tailMs: number): Promise<readonly Turn[]> {
    this.#looking = true
    this.#turns = []
    this.#lastMs = performance.now()
    this.#sleeps = mainThreadSleeps()
    this.#last = this.#times()
    setImmediate(() => this.#look())
    await act()
    await sleep(tailMs)
    this.#looking = false
    return this.#turns
  }

  #look(): void {
    if (!this.#looking) return
    const endMs = performance.now()
    const times = this.#times()
    const gapMs = endMs - this.#lastMs
    if (gapMs > SHORT_MS) this.#turns.push({ endMs, gapMs, heldMs: this.#heldIn(gapMs, times) })
    this.#lastMs = endMs
    this.#last = times
    setImmediate(() => this.#look())
  }

  /** A thread that did not go to sleep held the loop for as long as it ran: what is missing was taken from it. */
  #heldIn(gapMs: number, { cpuMs, delayedMs }: ThreadTimes): number {
    const ranMs = cpuMs - this.#last.cpuMs
    const awayMs = gapMs - ranMs - (delayedMs - this.#last.delayedMs)
    if (awayMs < SHORT_MS) return Math.min(gapMs, ranMs)
    const before = this.#sleeps
    this.#sleeps = mainThreadSleeps()
    return this.#sleeps === before ? ranMs : ranMs + awayMs
  }
}

const SHORT_MS = 0.05

export function longestOf(turns: readonly Turn[]): LongestTurn {
  return {
    gapMs: Math.max(0, ...turns.map(({ gapMs }) => gapMs)),
    heldMs: Math.max(0, ...turns.map(({ heldMs }) => heldMs)),
  }
}
