import type { Clock } from '../base/clock.js'

/**
 * The deadline of one drain: it counts from the start over every phase, and can only be brought forward. `Infinity` never
 * passes.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #passed: () => void
  #at: number
  #cancel: () => void = () => {}

  constructor(clock: Clock, ms: number, passed: () => void) {
    this.#clock = clock
    this.#passed = passed
    this.#at = clock.monotonicMs() + ms
    this.#arm()
  }

  get leftMs(): number {
    return Math.max(0, this.#at - this.#clock.monotonicMs())
  }

  /** Moves the deadline to `ms` from now, if that is earlier. */
  tighten(ms: number): void {
    const at = this.#clock.monotonicMs() + ms
    if (at >= this.#at) return
    this.#at = at
    this.#cancel()
    this.#arm()
  }

  clear(): void {
    this.#cancel()
  }

  #arm(): void {
    if (this.#at !== Number.POSITIVE_INFINITY) this.#cancel = this.#clock.after(this.leftMs, this.#passed)
  }
}
