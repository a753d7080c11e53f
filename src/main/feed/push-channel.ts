import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { sourceFailure } from './source-problem.js'

/** A channel that breaks again and again is logged at most this often, in milliseconds. */
const LOG_EVERY_MS = 60_000

/**
 * Whether a source can announce changes, as far as it states that. Without announcements, only the timer finds changes. An
 * outage is logged once, and its end with its length.
 */
export class PushChannel {
  readonly #source: string
  readonly #clock: Clock
  readonly #logger: Logger
  #outage: { readonly problem: Problem; readonly sinceMs: number; readonly sinceWallMs: number } | null = null
  #isLogged = false
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(source: string, clock: Clock, logger: Logger) {
    this.#source = source
    this.#clock = clock
    this.#logger = logger
  }

  /** Since when the source cannot announce changes, in ISO 8601, and why; `null` while it can. */
  get outage(): { readonly since: string; readonly problem: Problem } | null {
    const outage = this.#outage
    return outage && { since: isoTime(outage.sinceWallMs), problem: outage.problem }
  }

  /** @param error as in `MaterialSource.watch`. */
  report(error: unknown): void {
    if (error === null) this.#recovered()
    else this.#failed(sourceFailure(this.#source, error).problem)
  }

  #failed(problem: Problem): void {
    const { sinceMs, sinceWallMs } = this.#outage ?? {
      sinceMs: this.#clock.monotonicMs(),
      sinceWallMs: this.#clock.wallMs(),
    }
    this.#outage = { problem, sinceMs, sinceWallMs }
    const nowMs = this.#clock.monotonicMs()
    if (this.#isLogged || nowMs - this.#loggedAtMs < LOG_EVERY_MS) return
    this.#isLogged = true
    this.#loggedAtMs = nowMs
    const fields = { source: this.#source, code: problem.code, problem: problem.message }
    this.#logger.warn(fields, 'the source cannot announce changes; only the timer finds them')
  }

  #recovered(): void {
    const outage = this.#outage
    const wasLogged = this.#isLogged
    this.#outage = null
    this.#isLogged = false
    if (!outage || !wasLogged) return
    const forMs = Math.round(this.#clock.monotonicMs() - outage.sinceMs)
    this.#logger.info({ source: this.#source, forMs }, 'the source announces changes again')
  }
}
