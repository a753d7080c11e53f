import type { Clock } from '../base/clock.js'
import { createTick, type Tick } from '../base/tick.js'
import type { Worker } from '../threads/pool.js'
import type { Journal } from './journal.js'
import type { LifeWatch } from './life-watch.js'
import { nextDelayMs } from './schedule.js'

export interface CheckParts {
  readonly clock: Clock
  readonly worker: Pick<Worker, 'onReturn'>
  readonly journal: Pick<Journal, 'trouble'>
  readonly life: Pick<LifeWatch, 'leftMs'>
  /** As in {@link CheckState}. */
  readonly sourceDelayMs: () => number | null
  /** Runs one pass. Must not reject. */
  readonly pass: () => Promise<unknown>
}

/** Starts a pass at every interval; more often after a failure, and close to an expiry. */
export class AutomaticChecks {
  readonly #parts: CheckParts
  readonly #tick: Tick
  readonly #stopListening: () => void
  #intervalSeconds: number

  /** @param intervalSeconds 0 is off. The first check is planned by {@link plan}. */
  constructor(intervalSeconds: number, parts: CheckParts) {
    const { clock, worker, journal, pass } = parts
    this.#parts = parts
    this.#intervalSeconds = intervalSeconds
    this.#tick = createTick({ clock, delayMs: () => this.#delayMs(), check: pass })
    this.#stopListening = worker.onReturn(() => {
      if (journal.trouble && this.#intervalSeconds > 0) this.#tick.checkNow()
    })
  }

  get intervalSeconds(): number {
    return this.#intervalSeconds
  }

  set intervalSeconds(seconds: number) {
    this.#intervalSeconds = seconds
    this.plan()
  }

  /** Plans the next check again: its delay is counted from now. */
  plan(): void {
    this.#tick.plan()
  }

  /** Milliseconds until the next check; `null` when none is planned. */
  dueInMs(): number | null {
    return this.#tick.dueInMs()
  }

  stop(): void {
    this.#tick.stop()
    this.#stopListening()
  }

  #delayMs(): number | null {
    const { journal, life, sourceDelayMs } = this.#parts
    const intervalMs = this.#intervalSeconds * 1000
    return nextDelayMs({
      intervalMs,
      trouble: journal.trouble,
      lifeLeftMs: life.leftMs,
      sourceDelayMs: sourceDelayMs(),
    })
  }
}
