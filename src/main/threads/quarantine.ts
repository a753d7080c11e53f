import { type Poison, poisonKey, type TaskPlace } from '../../workers/progress/progress.js'
import type { Clock } from '../base/clock.js'
import { hungThreads } from './hung-threads.js'

/** How long a file is left alone that cost a thread: doubled each time, up to {@link LONGEST_MS}. */
const FIRST_MS = 60_000
const LONGEST_MS = 3_600_000

interface Entry {
  readonly place: TaskPlace
  readonly code: Poison['code']
  /** What happened, as the end of a sentence that begins with the path. */
  readonly what: string
  readonly pool: object
  readonly strikes: number
  readonly untilMs: number
}

/**
 * Files that cost a thread: it hung over them, ran out of memory or ended. Each is refused by name, without another thread,
 * until it changes, or until its time is over.
 *
 * There is one for the process, because every engine must leave a file alone over which a thread still hangs. Other files
 * are refused for the pool that lost the thread only: they may do no harm under the limits of another pool.
 */
class Quarantine {
  readonly #entries = new Map<string, Entry>()

  constructor() {
    // A thread in a system call ends when the call returns: the storage answers again, however soon that was.
    hungThreads.onReturn((at) => {
      if (at?.stamp !== '') return
      for (const [key, { place }] of this.#entries) if (place.path === at.path) this.#entries.delete(key)
    })
  }

  /** @param how what happened, as in `held a thread for 10000 ms`. */
  add(place: TaskPlace, code: Poison['code'], how: string, pool: object, clock: Clock): void {
    const key = poisonKey(place.path, place.stamp)
    const strikes = (this.#entries.get(key)?.strikes ?? 0) + 1
    const leftMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (strikes - 1))
    const again = place.stamp === '' ? 'is read again' : 'is read again when it changes, or'
    const what = `${how}; it ${again} in ${Math.round(leftMs / 60_000)} min`
    this.#entries.set(key, { place, code, what, pool, strikes, untilMs: clock.monotonicMs() + leftMs })
  }

  /** What a task must leave alone. @param force whether only files over which a thread hangs still. */
  poisons(force: boolean, pool: object, clock: Clock): readonly Poison[] {
    if (this.#entries.size === 0) return NONE
    const nowMs = clock.monotonicMs()
    const poisons: Poison[] = []
    for (const [key, { place, code, what, pool: owner, untilMs }] of this.#entries) {
      const hangsForMs = hungThreads.hangsForMs(place)
      if (hangsForMs !== null) {
        const seconds = Math.round(hangsForMs / 1000)
        const again = place.stamp === '' ? 'the call returns' : 'it changes'
        poisons.push({
          key,
          code,
          what: `has held a worker thread for ${seconds} s; it is read again when ${again}`,
        })
      }
      // Strikes are remembered for a while longer.
      else if (nowMs > untilMs + LONGEST_MS) this.#entries.delete(key)
      else if (!force && nowMs < untilMs && owner === pool) poisons.push({ key, code, what })
    }
    return poisons
  }
}

export const quarantine: Quarantine = new Quarantine()

const NONE: readonly Poison[] = []
