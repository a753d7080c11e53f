import type { Clock } from '../base/clock.js'
import { createTick, type Tick } from '../base/tick.js'
import type { Snapshot } from '../generation/generation.js'
import { Lookout } from '../prepare/lookout.js'
import type { Worker } from '../threads/pool.js'
import type { Journal } from './journal.js'
import type { LifeWatch } from './life-watch.js'
import { nextDelayMs } from './schedule.js'

/** What the checks look at, and what they set going. */
export interface CheckParts {
  readonly clock: Clock
  readonly worker: Worker
  readonly journal: Journal
  readonly life: LifeWatch
  readonly served: () => Snapshot
  /** Whether somebody wants the result of each check, which a look has none of. */
  readonly isWatched: () => boolean
  /** Whether an attached server was changed without the engine, which a pass reports. */
  readonly isOverridden: () => boolean
  /** A whole pass. Must not reject. */
  readonly pass: () => Promise<unknown>
}

/** Looks at the files by itself: most checks are a look by a thread that keeps looking, the others a pass. */
export class AutomaticChecks {
  readonly #parts: CheckParts
  readonly #lookout: Lookout
  readonly #tick: Tick
  readonly #stopListening: () => void
  #intervalSeconds: number

  /** @param intervalSeconds 0 is off. Nothing is planned yet. */
  constructor(intervalSeconds: number, parts: CheckParts) {
    const { clock, worker, served } = parts
    this.#parts = parts
    this.#intervalSeconds = intervalSeconds
    const { timeoutMs } = served().options.worker
    this.#lookout = new Lookout(worker, clock, timeoutMs, () => this.#lookCloser())
    this.#tick = createTick({
      clock,
      delayMs: () => this.#tickDelayMs(),
      glance: () => this.#glance(),
      check: () => this.#check(),
    })
    this.#stopListening = worker.onReturn(() => {
      if (parts.journal.trouble) this.#lookCloser()
    })
  }

  get intervalSeconds(): number {
    return this.#intervalSeconds
  }

  set intervalSeconds(seconds: number) {
    this.#intervalSeconds = seconds
    if (!this.#mayStand()) this.#lookout.dismiss()
    this.plan()
  }

  /** Plans the next check anew, counted from now, by what is known now. */
  plan(): void {
    this.#lookout.rest()
    this.#tick.plan()
  }

  /** Milliseconds until the next check; `null` when none is planned. */
  dueInMs(): number | null {
    return this.#lookout.dueInMs() ?? this.#tick.dueInMs()
  }

  /** Has the journal take note of the looks that found nothing since it last did. */
  noteQuiet(): void {
    const looks = this.#lookout.takeQuiet()
    if (looks) this.#parts.journal.quiet(looks)
  }

  stop(): void {
    this.#tick.stop()
    this.#stopListening()
  }

  /** Whether looks are enough for this check: only while all is well, and without a listener for its result. */
  #glance(): boolean {
    const { journal, isWatched, isOverridden, served } = this.#parts
    const everyMs = this.#delayMs()
    if (everyMs !== null && journal.agrees && !isWatched() && !isOverridden())
      return this.#lookout.keepsLooking(served(), everyMs)
    this.#lookout.rest()
    return false
  }

  /** A look found a difference; the timer may have been turned off since it began. */
  #lookCloser(): void {
    if (this.#intervalSeconds > 0) this.#tick.checkNow()
  }

  async #check(): Promise<void> {
    await this.#parts.pass()
    if (this.#mayStand()) this.#lookout.stand()
  }

  /** Between two checks that are further apart than a thread may be idle, none is kept. */
  #mayStand(): boolean {
    const { clock, served } = this.#parts
    const intervalMs = this.#intervalSeconds * 1000
    return clock.isShared && intervalMs > 0 && intervalMs <= served().options.worker.idleTimeoutMs
  }

  /** While a thread looks, all that is left to do here is to see from time to time that it does. */
  #tickDelayMs(): number | null {
    const delayMs = this.#delayMs()
    const looks = delayMs !== null && this.#lookout.dueInMs() !== null
    return looks ? Math.max(delayMs, this.#parts.served().options.worker.timeoutMs) : delayMs
  }

  #delayMs(): number | null {
    const { journal, life } = this.#parts
    const intervalMs = this.#intervalSeconds * 1000
    return nextDelayMs({ intervalMs, trouble: journal.trouble, lifeLeftMs: life.leftMs })
  }
}
