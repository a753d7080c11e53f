import type { Clock } from '../base/clock.js'

/**
 * Most connections handled in one turn of the event loop. Most of the work follows in later turns: ending a TLS connection
 * takes about 0.06 ms.
 */
const CONNECTIONS_PER_TURN = 16

/** Milliseconds after which a round continues in the next turn. */
const BUDGET_MS = 1

/** An item, and the monotonic time of the clock at which to act on it. */
export interface Due<T> {
  readonly item: T
  readonly atMs: number
}

/** Acts on each item when it is due, in rounds separated by a turn of the event loop. */
export class Rounds<T> {
  readonly #due: readonly Due<T>[]
  readonly #clock: Clock
  readonly #act: (item: T) => void
  readonly #done: () => void
  #next = 0
  #stopped = false
  #cancel: () => void = () => {}

  /**
   * @param due ordered by time
   * @param done called after the last item
   */
  constructor(due: readonly Due<T>[], clock: Clock, act: (item: T) => void, done: () => void) {
    this.#due = due
    this.#clock = clock
    this.#act = act
    this.#done = done
  }

  /** Runs the first round synchronously. */
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
      if (count === CONNECTIONS_PER_TURN || performance.now() - startMs > BUDGET_MS) {
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
