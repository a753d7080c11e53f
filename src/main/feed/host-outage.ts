import type { Problem } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { Backoff } from './backoff.js'
import { OutageLog } from './outage-log.js'

/** After this many failures without an answer in between, names are not requested until the next attempt is due. */
const MAX_FAILURES = 3
/** The longest delay that a source may ask for. */
const LONGEST_ASKED_MS = 3_600_000

const TEXTS = {
  begins: 'the source of hosts on demand does not answer; hosts in service stay',
  ends: 'the source of hosts on demand answers again',
}

/** A query that may be made. `attempt` decides on the end of an outage. */
export type Admission = 'query' | 'attempt'

/**
 * Whether a source answers. During an outage, requests are retried for the source, not for each name: one attempt after each
 * delay. The outage is logged once, and its end with its length, for any number of names.
 */
export class HostOutage {
  readonly #clock: Clock
  readonly #log: OutageLog
  readonly #backoff: Backoff
  #failures = 0
  #sinceWallMs: number | null = null
  #problem: Problem | null = null
  /** When the next attempt is due; `null` while queries are not held back. */
  #retryAtMs: number | null = null
  #attempting = false

  constructor(source: string, clock: Clock, logger: Logger, random?: () => number) {
    this.#clock = clock
    this.#log = new OutageLog(source, clock, logger, TEXTS)
    this.#backoff = new Backoff(random)
  }

  /** Since when the source has not answered, in milliseconds since 1970; `null` if it answers. */
  get sinceMs(): number | null {
    return this.#sinceWallMs
  }

  /** Why the source does not answer; `null` if it does. */
  get problem(): Problem | null {
    return this.#problem
  }

  /** `null` if no query may be made now. */
  admit(): Admission | null {
    if (this.#retryAtMs === null) return 'query'
    if (this.#attempting || this.#clock.monotonicMs() < this.#retryAtMs) return null
    this.#attempting = true
    return 'attempt'
  }

  /** The source answered, with whatever it states about the name. */
  answered(): void {
    this.#failures = 0
    this.#backoff.succeeded()
    this.#retryAtMs = this.#sinceWallMs = this.#problem = null
    this.#attempting = false
    this.#log.ended()
  }

  failed(admission: Admission, problem: Problem, retryAfterMs: number = 0): void {
    const nowMs = this.#clock.monotonicMs()
    this.#failures++
    this.#problem = problem
    this.#sinceWallMs ??= this.#clock.wallMs()
    this.#log.failed(problem)
    if (admission === 'attempt') this.#attempting = false
    // Queries that were under way when the outage began say nothing new about it.
    else if (this.#retryAtMs !== null) return
    if (admission === 'query' && this.#failures < MAX_FAILURES && retryAfterMs === 0) return
    this.#backoff.failed(Math.min(retryAfterMs, LONGEST_ASKED_MS))
    this.#retryAtMs = nowMs + (this.#backoff.delayMs as number)
  }
}
