import type { Clock } from '../base/clock.js'

/** Maximum number of names. Each takes at most about 400 bytes. */
const MAX_NAMES = 10_000

/** Why a name is not requested: the source has no such name, or could not deliver it a moment ago. */
export type Absence = 'none' | 'failed'

interface Absent {
  readonly why: Absence
  /** By the monotonic clock. */
  readonly endMs: number
}

/**
 * Names that are not requested again for a while. Bounded, because clients can send any number of names: the oldest are
 * forgotten first, half of the limit at a time. Removing them one by one would skip ever more deleted entries of the map.
 */
export class AbsentNames {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #half: number
  #newer = new Map<string, Absent>()
  #older = new Map<string, Absent>()

  constructor(clock: Pick<Clock, 'monotonicMs'>, limit: number = MAX_NAMES) {
    this.#clock = clock
    this.#half = Math.ceil(limit / 2)
  }

  get size(): number {
    return this.#newer.size + this.#older.size
  }

  add(name: string, why: Absence, forMs: number): void {
    this.delete(name)
    if (forMs <= 0) return
    if (this.#newer.size >= this.#half) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(name, { why, endMs: this.#clock.monotonicMs() + forMs })
  }

  /** `null` for a name that may be requested. */
  why(name: string): Absence | null {
    const absent = this.#newer.get(name) ?? this.#older.get(name)
    if (!absent) return null
    if (absent.endMs > this.#clock.monotonicMs()) return absent.why
    this.delete(name)
    return null
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
