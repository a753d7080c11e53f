import type { Problem } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'

/** Outages of a source that fails every now and then are logged at most this often, in milliseconds. */
const LOG_EVERY_MS = 60_000

/** Logs an outage of a source once, and its end with its length. */
export class OutageLog {
  readonly #source: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #texts: { readonly begins: string; readonly ends: string }
  #sinceMs: number | null = null
  #isLogged = false
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(source: string, clock: Clock, logger: Logger, texts: { begins: string; ends: string }) {
    this.#source = source
    this.#clock = clock
    this.#logger = logger
    this.#texts = texts
  }

  failed({ code, message }: Problem): void {
    const nowMs = this.#clock.monotonicMs()
    this.#sinceMs ??= nowMs
    if (this.#isLogged || nowMs - this.#loggedAtMs < LOG_EVERY_MS) return
    this.#isLogged = true
    this.#loggedAtMs = nowMs
    this.#logger.warn({ source: this.#source, code, problem: message }, this.#texts.begins)
  }

  ended(): void {
    const since = this.#isLogged ? this.#sinceMs : null
    this.#sinceMs = null
    this.#isLogged = false
    if (since === null) return
    const forMs = Math.round(this.#clock.monotonicMs() - since)
    this.#logger.info({ source: this.#source, forMs }, this.#texts.ends)
  }
}
