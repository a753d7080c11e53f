import type { Clock } from '../base/clock.js'

/** The shortest time between two passes that pushes start, in milliseconds. */
const GAP_MS = 1000

/** Turns any number of pushes into at most one pass a second: the first push starts one at once. */
export class Pushes {
  readonly #clock: Clock
  readonly #start: () => void
  #lastMs = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | null = null
  #isClosed = false

  constructor(clock: Clock, start: () => void) {
    this.#clock = clock
    this.#start = start
  }

  push(): void {
    if (this.#isClosed || this.#cancel) return
    const leftMs = this.#lastMs + GAP_MS - this.#clock.monotonicMs()
    if (leftMs <= 0) this.#begin()
    else this.#cancel = this.#clock.after(leftMs, () => this.#begin())
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
    this.#cancel = null
  }

  #begin(): void {
    this.#cancel = null
    this.#lastMs = this.#clock.monotonicMs()
    this.#start()
  }
}
