import { type RefusedFile, refusedFileKey, type TaskPlace } from '../../workers/progress/progress.js'
import type { Clock } from '../base/clock.js'
import { hungThreads } from './hung-threads.js'

/** How long a file is not read after it cost a thread, in milliseconds: doubled each time, up to {@link MAX_MS}. */
const FIRST_MS = 60_000
const MAX_MS = 3_600_000

interface Entry {
  readonly place: TaskPlace
  readonly code: RefusedFile['code']
  /** The event, as the rest of a sentence that begins with the path. */
  readonly what: string
  readonly pool: object
  readonly failures: number
  readonly untilMs: number
}

/**
 * Files that cost a thread: it hung, ran out of memory or ended while it processed them. Each is refused with its path, and
 * not read, until it changes or its time is over.
 *
 * There is one quarantine for the process, because no engine may read a file at which a thread still hangs. Other files are
 * refused only for the pool that lost the thread: they may be harmless under the limits of another pool.
 */
class Quarantine {
  readonly #entries = new Map<string, Entry>()

  constructor() {
    // A thread in a system call ends when the call returns, so the storage responds again.
    hungThreads.onReturn((at) => {
      if (at?.stamp !== '') return
      for (const [key, { place }] of this.#entries) if (place.path === at.path) this.#entries.delete(key)
    })
  }

  /** @param how the event, for example `held a thread for 10000 ms`. */
  add(place: TaskPlace, code: RefusedFile['code'], how: string, pool: object, clock: Clock): void {
    const key = refusedFileKey(place.path, place.stamp)
    const failures = (this.#entries.get(key)?.failures ?? 0) + 1
    const leftMs = Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1))
    const again = place.stamp === '' ? 'is read again' : 'is read again when it changes, or'
    const what = `${how}; it ${again} in ${Math.round(leftMs / 60_000)} min`
    this.#entries.set(key, { place, code, what, pool, failures, untilMs: clock.monotonicMs() + leftMs })
  }

  /** The files that a task must not read. @param force whether to return only files at which a thread still hangs. */
  refusedFiles(force: boolean, pool: object, clock: Clock): readonly RefusedFile[] {
    if (this.#entries.size === 0) return NONE
    const nowMs = clock.monotonicMs()
    const refused: RefusedFile[] = []
    for (const [key, { place, code, what, pool: owner, untilMs }] of this.#entries) {
      const hangsForMs = hungThreads.hangsForMs(place)
      if (hangsForMs !== null) {
        const seconds = Math.round(hangsForMs / 1000)
        const again = place.stamp === '' ? 'the call returns' : 'it changes'
        refused.push({
          key,
          code,
          what: `has held a worker thread for ${seconds} s; it is read again when ${again}`,
        })
      }
      // The number of failures is kept for some time longer.
      else if (nowMs > untilMs + MAX_MS) this.#entries.delete(key)
      else if (!force && nowMs < untilMs && owner === pool) refused.push({ key, code, what })
    }
    return refused
  }
}

export const quarantine: Quarantine = new Quarantine()

const NONE: readonly RefusedFile[] = []
