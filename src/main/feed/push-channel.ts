import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { OutageLog } from './outage-log.js'
import { sourceFailure } from './source-problem.js'

const TEXTS = {
  begins: 'the source cannot announce changes; only the timer finds them',
  ends: 'the source announces changes again',
}

/** Whether a source can announce changes, as far as it states that. Without announcements, only the timer finds changes. */
export class PushChannel {
  readonly #source: string
  readonly #clock: Clock
  readonly #log: OutageLog
  #outage: { readonly since: string; readonly problem: Problem } | null = null

  constructor(source: string, clock: Clock, logger: Logger) {
    this.#source = source
    this.#clock = clock
    this.#log = new OutageLog(source, clock, logger, TEXTS)
  }

  /** Since when the source cannot announce changes, in ISO 8601, and why; `null` while it can. */
  get outage(): { readonly since: string; readonly problem: Problem } | null {
    return this.#outage
  }

  /** @param error as in `MaterialSource.watch`. */
  report(error: unknown): void {
    if (error === null) {
      this.#outage = null
      this.#log.ended()
      return
    }
    const { problem } = sourceFailure(this.#source, error)
    this.#outage = { since: this.#outage?.since ?? isoTime(this.#clock.wallMs()), problem }
    this.#log.failed(problem)
  }
}
