import type { Problem } from '../../workers/base/problem.js'
import { type MaterialSource, SourceError } from '../api/source.js'
import type { SourceStatus } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { callUserCode } from '../base/user-code.js'
import { type HeldDelivery, type MaterialFeed, type Reading, wipeHeld } from '../reload/material-feed.js'
import type { PassReport } from '../reload/pass-report.js'
import { acceptDelivery, type DeliveryLimits } from './accept-delivery.js'
import { Backoff } from './backoff.js'
import { closeSource } from './close-source.js'
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
    const { source, clock, logger, timeoutMs } = parts
    this.#parts = parts
    this.#calls = new TimedCalls(clock, timeoutMs)
    this.#health = new SourceHealth(source.name, clock)
    this.#reports = new Reports(source, clock, logger)
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

  async readFirst(): Promise<HeldDelivery> {
    const { clock, logger, source, startTimeoutMs } = this.#parts
    const endMs = clock.monotonicMs() + startTimeoutMs
    let logged = ''
    for (;;) {
      const leftMs = endMs - clock.monotonicMs()
      const reading = await this.#attempt(null, Math.min(this.#parts.timeoutMs, Math.max(1, leftMs)))
      if (reading.kind === 'delivered') return reading.held
      const failed = reading as Extract<Reading, { kind: 'failed' }>
      this.#failed(failed)
      const { problem } = failed
      const waitMs = this.#backoff.delayMs ?? 0
      const remainingMs = endMs - clock.monotonicMs()
      if (waitMs >= remainingMs) {
        const message = `${problem.message}; the start waits ${startTimeoutMs / 1000} s for the source (\`startTimeoutSeconds\`)`
        throw new ReloadError(problem.code, message, { problems: [{ ...problem, message }] })
      }
      if (logged !== problem.code) {
        const fields = { source: source.name, problem, giveUpInSeconds: Math.round(remainingMs / 1000) }
        logger.warn(fields, 'waiting for the source of the certificates')
        logged = problem.code
      }
      await new Promise<void>((resolve) => {
        clock.after(waitMs, resolve)
      })
    }
  }

  async read(known: number | null): Promise<Reading> {
    const version = known !== null && this.#served?.generation === known ? this.#served.version : null
    return await this.#attempt(version, this.#parts.timeoutMs)
  }

  settle(reading: Reading, { result, isRolledBack }: PassReport): void {
    if (reading.kind === 'failed') {
      this.#failed(reading)
      return
    }
    if (result.problems.length > 0) {
      this.#backoff.failed()
      this.#health.failed((result.problems[0] as Problem).code)
    } else {
      this.#backoff.succeeded()
      this.#health.answered()
    }
    if (reading.kind !== 'delivered') return
    const { version, revision, lists } = reading.held
    const isServed = result.outcome === 'applied' || (result.outcome === 'unchanged' && !isRolledBack)
    if (isServed && result.problems.length === 0) this.#served = { version, generation: result.generation }
    if (isServed) {
      this.#health.serves(version, result.generation)
      this.#hasLists = (lists ?? 0) > 0
      if (revision !== null) this.#revision = revision
    }
    // It says nothing about the delivery.
    if (result.problems.some(({ code }) => code === 'SUPERSEDED')) return
    this.#reports.send(version, isServed, result)
  }

  /** Ends calls, timers and the source. */
  async close(): Promise<void> {
    this.#pushes?.close()
    this.#calls.close()
    const { source, clock, timeoutMs } = this.#parts
    await closeSource(source, clock, timeoutMs, (method, act) => this.#user(method, act))
  }

  #push(name?: string): void {
    this.#hostPush(name)
    if (this.#pushes) this.#pushes.push()
    else this.#isPushedEarly = true
  }

  async #attempt(version: string | null, timeoutMs: number): Promise<Reading> {
    const { source, limits } = this.#parts
    try {
      const given = await this.#calls.run((signal) => source.read({ version, signal }), timeoutMs)
      if (given === 'unchanged') {
        if (version !== null) return { kind: 'unchanged' }
        throw new SourceError(
          'SOURCE_INVALID',
          'it answered `unchanged` although the request named no version',
        )
      }
      const held = await acceptDelivery(given, source.name, limits)
      if (held.hosts && !this.#parts.takesHosts) throw new SourceError('SOURCE_INVALID', UNWANTED_HOSTS)
      const problem = this.#whyOlder(held) ?? this.#whyUnclear(held)
      if (!problem) return { kind: 'delivered', held }
      wipeHeld(held)
      return { kind: 'failed', problem, retryAfterMs: 0 }
    } catch (error) {
      return { kind: 'failed', ...sourceFailure(source.name, error) }
    }
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
