import { setTimeout as sleep } from 'node:timers/promises'

import { mainThreadClock } from './thread-clock.js'

/** A turn of the event loop that was not over at once. */
export interface Turn {
  readonly endMs: number
  /** By the wall clock: what a connection that came at the worst moment would have waited. */
  readonly gapMs: number
  /** Processor time of this thread in it: at most so much of the gap is the program's own doing. */
  readonly busyMs: number
}

/** The longest of some turns. */
export type LongestTurn = Pick<Turn, 'gapMs' | 'busyMs'>

/**
 * Looks at the loop on every turn by `setImmediate`, because a timer cannot see what is shorter than itself
 * (`monitorEventLoopDelay` is blind below a millisecond). It uses a core for as long as it looks.
 */
export class GapProbe {
  readonly #cpuMs = mainThreadClock()
  #looking = false
  #lastMs = 0
  #lastCpuMs = 0
  #turns: Turn[] = []

  /** The turns worth a word from the beginning of `act` until `tailMs` after its end. */
  async during(act: () => Promise<unknown>, tailMs: number): Promise<readonly Turn[]> {
    this.#looking = true
    this.#turns = []
    this.#lastMs = performance.now()
    this.#lastCpuMs = this.#cpuMs()
    setImmediate(() => this.#look())
    await act()
    await sleep(tailMs)
    this.#looking = false
    return this.#turns
  }

  #look(): void {
    if (!this.#looking) return
    const endMs = performance.now()
    const cpuMs = this.#cpuMs()
    const gapMs = endMs - this.#lastMs
    if (gapMs > SHORT_MS) this.#turns.push({ endMs, gapMs, busyMs: cpuMs - this.#lastCpuMs })
    this.#lastMs = endMs
    this.#lastCpuMs = cpuMs
    setImmediate(() => this.#look())
  }
}

const SHORT_MS = 0.05

export function longestOf(turns: readonly Turn[]): LongestTurn {
  return {
    gapMs: Math.max(0, ...turns.map(({ gapMs }) => gapMs)),
    busyMs: Math.max(0, ...turns.map(({ busyMs }) => busyMs)),
  }
}
