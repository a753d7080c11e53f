import type { Problem } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'

/** The shortest time between two log lines. */
const EVERY_MS = 60_000

/** Logs refused hosts: the first one, then at most one a minute, with the number of those in between. */
export class RefusedHosts {
  readonly #source: string
  readonly #clock: Clock
  readonly #logger: Logger
  #loggedMs = Number.NEGATIVE_INFINITY
  #unlogged = 0

  constructor(source: string, clock: Clock, logger: Logger) {
    this.#source = source
    this.#clock = clock
    this.#logger = logger
  }

  note(host: string, { code, message }: Problem): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#loggedMs < EVERY_MS) {
      this.#unlogged++
      return
    }
    const fields = { source: this.#source, host, code, problem: message, others: this.#unlogged }
    this.#logger.warn(fields, 'a host on demand was refused; what was served before stays in service')
    this.#loggedMs = nowMs
    this.#unlogged = 0
  }
}
