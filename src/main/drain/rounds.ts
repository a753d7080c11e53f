import type { Clock } from '../base/clock.js'

/**
 * Connections that get their goodbye in one turn of the event loop. Most of the work of a goodbye comes in the turns that
 * follow: to end a TLS connection takes about 0.06 ms.
 */
const A_ROUND = 16

/** The longest that a round may take before the next connection waits for the next turn, in milliseconds. */
const BUDGET_MS = 1

/** Something to act on, and when, by the clock's monotonic time. */
export interface Due<T> {
  readonly item: T
  readonly atMs: number
}

/** Acts on items in rounds with a turn of the event loop in between, each item when it is due. */
export class Rounds<T> {
  readonly #due: readonly Due<T>[]
  readonly #clock: Clock
  readonly #act: (item: T) => void
  readonly #done: () => void
  #next = 0
  #stopped = false
  #cancel: () => void = () => {}

  /**
   * @param due in the order of time
   * @param done called after the last
   */
  constructor(due: readonly Due<T>[], clock: Clock, act: (item: T) => void, done: () => void) {
    this.#due = due
    this.#clock = clock
    this.#act = act
    this.#done = done
  }

  /** The first round is at once. */
  start(): void {
    const startMs = performance.now()
    for (let count = 0; !this.#stopped; count++) {
      const one = this.#due[this.#next]
      if (!one) {
        this.#stopped = true
        this.#done()
        return
      }
      const waitMs = one.atMs - this.#clock.monotonicMs()
      if (waitMs > 0) {
        this.#cancel = this.#clock.after(waitMs, () => this.start())
        return
      }
      if (count === A_ROUND || performance.now() - startMs > BUDGET_MS) {
        const immediate = setImmediate(() => this.start())
        this.#cancel = () => clearImmediate(immediate)
        return
      }
      this.#next++
      this.#act(one.item)
    }
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }
}
