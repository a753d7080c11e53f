import type { Problem } from '../../workers/base/problem.js'
import { type Delivery, type MaterialSource, SourceError } from '../api/source.js'
import type { SourceStatus } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { callUserCode } from '../base/user-code.js'
import {
  type FirstReading,
  type HeldDelivery,
  type MaterialFeed,
  type Reading,
  wipeHeld,
} from '../reload/material-feed.js'
import { type PassReport, problemsOf } from '../reload/pass-report.js'
import { acceptDelivery, type DeliveryLimits } from './accept-delivery.js'
import { Backoff } from './backoff.js'
import { closeSource } from './close-source.js'
import { FirstReadings } from './first-readings.js'
import { LastGood, type LastGoodSettings } from './last-good.js'
import { Pushes } from './pushes.js'
import { Reports } from './reports.js'
import { SourceHealth } from './source-health.js'
import { sourceFailure } from './source-problem.js'
import { TimedCalls } from './timed-calls.js'

export interface FeedParts {
  readonly source: MaterialSource
  readonly limits: DeliveryLimits
  /** Whether the engine serves hosts (`hosts: {}`). */
  readonly takesHosts: boolean
  /** Limit of one call of the source, and of the whole start. */
  readonly timeoutMs: number
  readonly startTimeoutMs: number
  /** `null`: nothing is kept. */
  readonly lastGood: LastGoodSettings | null
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Reads a source for the passes of an engine: bounded calls, copies, versions, revisions, backoff and reports. An error never
 * removes anything: the pass then keeps what is served.
 */
export class Feed implements MaterialFeed {
  readonly #parts: FeedParts
  readonly #calls: TimedCalls
  readonly #backoff = new Backoff()
  readonly #health: SourceHealth
  readonly #reports: Reports
  readonly #lastGood: LastGood | null
  #first: FirstReadings | null = null
  #pushes: Pushes | null = null
  #isPushedEarly = false
  #hostPush: (name?: string) => void = () => {}
  /** The delivery in service, and the generation in which it was served first. */
  #served: { readonly version: string; readonly generation: number } | null = null
  /** Whether the delivery in service has revocation lists. */
  #hasLists = false
  /** The highest revision that was served. */
  #revision: bigint | null = null

  constructor(parts: FeedParts) {
    const { source, clock, logger, timeoutMs, lastGood } = parts
    this.#parts = parts
    this.#calls = new TimedCalls(clock, timeoutMs)
    this.#health = new SourceHealth(source.name, clock)
    this.#reports = new Reports(source, clock, logger)
    this.#lastGood = lastGood && new LastGood(lastGood, parts, ({ code }) => this.#health.counted(code))
    if (source.watch) this.#user('watch', () => source.watch?.((name) => this.#push(name)))
  }

  /** Milliseconds until the next attempt after a failure; `null` without one. */
  get retryDelayMs(): number | null {
    return this.#backoff.delayMs
  }

  /** @param generation number of the one in service. */
  status(generation: number): SourceStatus {
    return this.#health.status(generation)
  }

  /** From now on, pushes start passes. What a push during the start announced may have been missed by the first read. */
  onPush(start: () => void): void {
    this.#pushes = new Pushes(this.#parts.clock, start)
    if (this.#isPushedEarly) this.#pushes.push()
  }

  /** From now on, pushes are passed on to hosts on demand as well, with the name that changed. */
  onHostPush(changed: (name?: string) => void): void {
    this.#hostPush = changed
  }

  async readFirst(): Promise<FirstReading> {
    this.#first ??= this.#firstReadings()
    return await this.#first.next()
  }

  refusedFirst(reading: FirstReading, error: unknown): boolean {
    if (reading.kind === 'delivered') this.#refuse(problemsOf(error))
    return this.#first?.refused(reading, error) ?? false
  }

  async read(known: number | null): Promise<Reading> {
    const version = known !== null && this.#served?.generation === known ? this.#served.version : null
    return await this.#attempt(version, this.#parts.timeoutMs)
  }

  async settle(reading: Reading, { result, isRolledBack }: PassReport): Promise<void> {
    if (reading.kind === 'failed') {
      this.#failed(reading)
      return
    }
    if (reading.kind === 'kept') {
      this.#health.serves(reading.held.version, result.generation, true)
      this.#recall(reading.held)
      return
    }
    if (result.problems.length > 0) this.#refuse(result.problems)
    else {
      this.#backoff.succeeded()
      this.#health.answered()
    }
    if (reading.kind !== 'delivered') return
    const { version } = reading.held
    const isServed = result.outcome === 'applied' || (result.outcome === 'unchanged' && !isRolledBack)
    if (isServed && result.problems.length === 0) this.#served = { version, generation: result.generation }
    if (isServed) {
      this.#health.serves(version, result.generation)
      this.#recall(reading.held)
    }
    // A superseded pass says nothing about the delivery.
    if (!result.problems.some(({ code }) => code === 'SUPERSEDED'))
      this.#reports.send(version, isServed, result)
    if (isServed) await this.#lastGood?.keep(reading.held)
  }

  /** Ends calls, timers and the source. */
  async close(): Promise<void> {
    this.#pushes?.close()
    this.#calls.close()
    const { source, clock, timeoutMs } = this.#parts
    // Not awaited for longer than a call: an engine must close although its source hangs.
    const closing = closeSource(source, clock, timeoutMs, (method, act) => this.#user(method, act))
    await Promise.all([closing, this.#lastGood?.close()])
  }

  #push(name?: string): void {
    this.#hostPush(name)
    if (this.#pushes) this.#pushes.push()
    else this.#isPushedEarly = true
  }

  async #attempt(version: string | null, timeoutMs: number): Promise<Reading> {
    const { source } = this.#parts
    try {
      const given = await this.#calls.run((signal) => source.read({ version, signal }), timeoutMs)
      if (given === 'unchanged') {
        if (version !== null) return { kind: 'unchanged' }
        throw new SourceError(
          'SOURCE_INVALID',
          'it answered `unchanged` although the request named no version',
        )
      }
      const held = await this.#accepted(given)
      const problem = this.#whyOlder(held) ?? this.#whyUnclear(held)
      if (!problem) return { kind: 'delivered', held }
      wipeHeld(held)
      return { kind: 'failed', problem, retryAfterMs: 0 }
    } catch (error) {
      return { kind: 'failed', ...sourceFailure(source.name, error) }
    }
  }

  async #accepted(given: Delivery): Promise<HeldDelivery> {
    const { source, limits, takesHosts } = this.#parts
    const held = await acceptDelivery(given, source.name, limits)
    if (held.hosts && !takesHosts) throw new SourceError('SOURCE_INVALID', UNWANTED_HOSTS)
    return held
  }

  #firstReadings(): FirstReadings {
    const { source, clock, logger, timeoutMs, startTimeoutMs } = this.#parts
    return new FirstReadings({
      ...{ source: source.name, clock, logger, timeoutMs, startTimeoutMs },
      keptAfterMs: this.#lastGood?.afterMs ?? null,
      attempt: (limitMs) => this.#attempt(null, limitMs),
      retryDelayMs: () => this.#backoff.delayMs,
      readKept: async () => (await this.#lastGood?.read((delivery) => this.#accepted(delivery))) ?? null,
      onFailed: (failed) => this.#failed(failed),
      onRefused: ({ code }) => this.#health.counted(code),
    })
  }

  /** What later deliveries are compared with. */
  #recall({ lists, revision }: HeldDelivery): void {
    this.#hasLists = (lists ?? 0) > 0
    if (revision !== null) this.#revision = revision
  }

  #refuse(problems: readonly Problem[]): void {
    this.#backoff.failed()
    this.#health.failed((problems[0] as Problem).code)
  }

  #failed({ problem, retryAfterMs }: Extract<Reading, { kind: 'failed' }>): void {
    this.#backoff.failed(retryAfterMs)
    this.#health.failed(problem.code)
  }

  #whyOlder({ revision }: HeldDelivery): Problem | null {
    if (revision === null || this.#revision === null || revision >= this.#revision) return null
    const message = `source ${this.#parts.source.name}: it delivered revision ${revision}, older than revision ${this.#revision}, which was served already`
    return { code: 'SOURCE_OLDER', message }
  }

  /** An omission must not accept revoked certificates again. */
  #whyUnclear({ lists }: HeldDelivery): Problem | null {
    if (lists !== null || !this.#hasLists) return null
    const message = `source ${this.#parts.source.name}: the delivery states nothing about revocation lists, and the last one had some; deliver \`crl: []\` to remove them`
    return { code: 'SOURCE_INVALID', message }
  }

  #user(method: string, act: () => unknown): unknown {
    const { source, logger } = this.#parts
    return callUserCode('hook', `${method}() of the source ${source.name}`, act, (error) => {
      logger.warn(
        { source: source.name, problem: sourceFailure(source.name, error).problem },
        'the source failed',
      )
    })
  }
}

const UNWANTED_HOSTS = 'it delivers hosts, but the engine serves none; set the option `hosts: {}`'
