import type { Problem } from '../../workers/base/problem.js'
import type { ReloadResult } from '../api/result.js'
import { type Delivery, type MaterialSource, SourceError } from '../api/source.js'
import type { SourceStatus } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import {
  copyOfHeld,
  type FirstReading,
  type HeldDelivery,
  type MaterialFeed,
  type Reading,
  wipeHeld,
} from '../reload/material-feed.js'
import { type PassReport, problemsOf } from '../reload/pass-report.js'
import { acceptDelivery, type DeliveryLimits } from './accept-delivery.js'
import { Backoff } from './backoff.js'
import { callSource } from './call-source.js'
import { closeSource } from './close-source.js'
import { FirstReadings } from './first-readings.js'
import { LastGood, type LastGoodSettings } from './last-good.js'
import { PushChannel } from './push-channel.js'
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
  readonly #channel: PushChannel
  #first: FirstReadings | null = null
  #pushes: Pushes | null = null
  #isPushedEarly = false
  #hostPush: (name?: string) => void = () => {}
  /** The delivery in service, and the generation in which it was served first. */
  #served: { readonly version: string; readonly generation: number } | null = null
  /** Whether the delivery in service has revocation lists, and trust domains. */
  #hasLists = false
  #hasDomains = false
  #last: HeldDelivery | null = null
  /** The highest revision that was served. */
  #revision: bigint | null = null

  constructor(parts: FeedParts) {
    const { source, clock, logger, timeoutMs, lastGood } = parts
    this.#parts = parts
    this.#calls = new TimedCalls(clock, timeoutMs)
    this.#health = new SourceHealth(source.name, clock)
    this.#reports = new Reports(source, clock, logger)
    this.#lastGood = lastGood && new LastGood(lastGood, parts, ({ code }) => this.#health.counted(code))
    this.#channel = new PushChannel(source.name, clock, logger)
    const changed = (name?: string) => this.#push(name)
    const trouble = (error: SourceError | null) => this.#channel.report(error)
    if (source.watch) this.#user('watch', () => source.watch?.(changed, trouble))
  }

  /** Milliseconds until the next attempt after a failure; `null` without one. */
  get retryDelayMs(): number | null {
    return this.#backoff.delayMs
  }

  /** @param generation number of the one in service. */
  status(generation: number): SourceStatus {
    return { ...this.#health.status(generation), pushOutage: this.#channel.outage }
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
    if (reading.kind === 'delivered') {
      const problems = problemsOf(error)
      this.#refuse(problems)
      this.#reports.send(reading.held.version, 'refused', { generation: null, problems })
    }
    return this.#first?.refused(reading, error) ?? false
  }

  async read(known: number | null): Promise<Reading> {
    const version = known !== null && this.#served?.generation === known ? this.#served.version : null
    return await this.#attempt(version, this.#parts.timeoutMs)
  }

  get last(): HeldDelivery | null {
    return this.#last
  }

  async settle(reading: Reading, { result, isRolledBack }: PassReport, keepsLast: boolean): Promise<void> {
    if (reading.kind === 'failed') {
      this.#failed(reading)
      return
    }
    if (reading.kind === 'kept') {
      this.#health.serves(reading.held.version, result.generation, true)
      this.#recall(reading.held)
      this.#keepLast(keepsLast ? reading.held : null)
      return
    }
    const problems = this.#problemsOfDelivery(result)
    if (problems.length > 0) this.#refuse(problems)
    else {
      this.#backoff.succeeded()
      this.#health.answered()
    }
    if (reading.kind !== 'delivered') return
    const { outcome, generation } = result
    // The problem is not one of the delivery.
    if (outcome === 'rejected' && problems.length === 0) return
    const { version } = reading.held
    // The trust of a delivery whose certificates were rolled back is in force.
    if (outcome === 'applied') this.#recall(reading.held)
    if (isRolledBack) return
    const isServed = outcome === 'applied' || outcome === 'unchanged'
    if (isServed) {
      if (problems.length === 0) this.#served = { version, generation }
      this.#health.serves(version, generation)
      this.#recall(reading.held)
      this.#keepLast(keepsLast ? reading.held : null)
    }
    this.#reports.send(version, isServed ? 'served' : 'refused', { generation, problems })
    if (isServed) await this.#lastGood?.keep(reading.held)
  }

  /** After a rollback: what was delivered last is not in service. */
  rolledBack({ generation }: Pick<ReloadResult, 'generation'>): void {
    if (this.#served) this.#reports.send(this.#served.version, 'refused', { generation, problems: [] })
  }

  /** Ends calls, timers and the source. */
  async close(): Promise<void> {
    this.#pushes?.close()
    this.#calls.close()
    this.#keepLast(null)
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
    if (held.hosts && !takesHosts) {
      wipeHeld(held)
      throw new SourceError('SOURCE_INVALID', UNWANTED_HOSTS)
    }
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

  #keepLast(held: HeldDelivery | null): void {
    if (this.#last) wipeHeld(this.#last)
    this.#last = held && copyOfHeld(held)
  }

  /** What later deliveries are compared with. */
  #recall({ lists, revision, set }: HeldDelivery): void {
    this.#hasLists = (lists ?? 0) > 0
    this.#hasDomains = hasDomains(set)
    if (revision !== null) this.#revision = revision
  }

  #refuse(problems: readonly Problem[]): void {
    this.#backoff.failed()
    this.#health.failed((problems[0] as Problem).code)
  }

  /** Without those of the fleet, of files beside the source, of new options, and of a rollback at the same time. */
  #problemsOfDelivery({ trigger, outcome, problems }: ReloadResult): readonly Problem[] {
    if (trigger === 'update' && outcome === 'rejected') return []
    const prefix = `${this.#parts.source.name}:`
    return problems.filter(
      ({ code, path }) =>
        code !== 'SUPERSEDED' &&
        !code.startsWith('MEMBER_') &&
        (path === undefined || path.startsWith(prefix)),
    )
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

  /** An omission must neither accept revoked certificates again, nor let any anchor verify peers of any trust domain. */
  #whyUnclear({ lists, set }: HeldDelivery): Problem | null {
    const why =
      lists === null && this.#hasLists
        ? 'states nothing about revocation lists, and the last one had some; deliver `crl: []` to remove them'
        : this.#hasDomains && !hasDomains(set)
          ? 'has no `trustDomains`, and the last one had some; deliver them, or restart without them'
          : null
    if (why === null) return null
    return { code: 'SOURCE_INVALID', message: `source ${this.#parts.source.name}: the delivery ${why}` }
  }

  #user(method: string, act: () => unknown): unknown {
    const { source, logger } = this.#parts
    return callSource(source.name, method, act, logger)
  }
}

function hasDomains({ items }: HeldDelivery['set']): boolean {
  return items.some(({ role }) => role === 'domain-ca')
}

const UNWANTED_HOSTS = 'it delivers hosts, but the engine serves none; set the option `hosts: {}`'
