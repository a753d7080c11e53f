import { type Poison, poisonKey, type TaskPlace } from '../../workers/progress.js'
import type { Clock } from '../clock.js'
import { hungThreads } from './hung-threads.js'

/** How long a file is left alone that cost a thread: doubled each time, up to {@link LONGEST_MS}. */
const FIRST_MS = 60_000
const LONGEST_MS = 3_600_000

interface Entry {
  readonly poison: Poison
  readonly path: string
  readonly strikes: number
  readonly untilMs: number
}

/**
 * Files that cost a thread: it hung over them, ran out of memory or ended. Each is refused by name, without another thread,
 * until it changes, or until its time is over.
 */
export class Quarantine {
  readonly #entries = new Map<string, Entry>()

  add({ path, stamp }: TaskPlace, code: Poison['code'], how: string, clock: Clock): void {
    const key = poisonKey(path, stamp)
    const strikes = (this.#entries.get(key)?.strikes ?? 0) + 1
    const leftMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (strikes - 1))
    const state = stamp === '' ? 'again' : 'again until it changes'
    const minutes = Math.round(leftMs / 60_000)
    const what = `${how}; it is not read ${state}, or for ${minutes} min`
    const untilMs = clock.monotonicMs() + leftMs
    this.#entries.set(key, { poison: { key, code, what }, path, strikes, untilMs })
  }

  /** What a task must leave alone. @param force whether only files at which a thread hangs still. */
  poisons(force: boolean, clock: Clock): readonly Poison[] {
    if (this.#entries.size === 0) return NONE
    const nowMs = clock.monotonicMs()
    const poisons: Poison[] = []
    for (const [key, { poison, path, untilMs }] of this.#entries) {
      // Strikes are remembered for a while longer.
      if (nowMs > untilMs + LONGEST_MS) this.#entries.delete(key)
      else if (hungThreads.hangsAt(path) || (!force && nowMs < untilMs)) poisons.push(poison)
    }
    return poisons
  }
}

const NONE: readonly Poison[] = []
