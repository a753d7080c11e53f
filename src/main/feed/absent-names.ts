import type { Clock } from '../base/clock.js'

/** Maximum number of names. Each takes at most about 400 bytes. */
const MAX_NAMES = 10_000

/**
 * Names that are not requested again for a while. Bounded, because clients can send any number of names: the oldest are
 * forgotten first, half of the limit at a time. Removing them one by one would skip ever more deleted entries of the map.
 */
export class AbsentNames {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #half: number
  /** The end of each by the monotonic clock. */
  #newer = new Map<string, number>()
  #older = new Map<string, number>()

  constructor(clock: Pick<Clock, 'monotonicMs'>, limit: number = MAX_NAMES) {
    this.#clock = clock
    this.#half = Math.ceil(limit / 2)
  }

  get size(): number {
    return this.#newer.size + this.#older.size
  }

  add(name: string, forMs: number): void {
    this.delete(name)
    if (forMs <= 0) return
    if (this.#newer.size >= this.#half) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(name, this.#clock.monotonicMs() + forMs)
  }

  has(name: string): boolean {
    const end = this.#newer.get(name) ?? this.#older.get(name)
    if (end === undefined) return false
    if (end > this.#clock.monotonicMs()) return true
    this.delete(name)
    return false
  }

  delete(name: string): void {
    this.#newer.delete(name)
    this.#older.delete(name)
  }

  clear(): void {
    this.#newer.clear()
    this.#older.clear()
  }
}
