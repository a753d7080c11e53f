import { type Problem, type ProblemCode, ProblemError } from '../../workers/base/problem.js'
import { type HostRequest, SourceError, type SourceErrorCode } from '../api/source.js'
import type { HostQueryOutcome, SkippedQuery } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import { type Deferred, deferred } from '../base/deferred.js'
import type { Logger } from '../base/logger.js'
import type { OnDemandLimits } from '../generation/resolved-options.js'
import { AbsentNames } from './absent-names.js'
import type { DeliveredHost, HeldHost, HostAnswer } from './accept-host.js'
import { AllowedNames } from './allowed-names.js'
import { type Admission, HostOutage } from './host-outage.js'
import { sourceFailure } from './source-problem.js'

/** Limits of queries for hosts on demand. */
export type HostQueryLimits = Omit<OnDemandLimits, 'maxHosts' | 'refreshSeconds'>

/** Why a request has no result from the source: it was not asked, or did not answer. */
export type Miss =
  | { readonly miss: 'not-allowed' | 'absent' | 'failing' | 'busy' | 'outage' | 'closed' | 'late' }
  | { readonly miss: 'failed'; readonly problem: Problem }

/** Parts of the queries. */
export interface HostQueryParts<T, Held extends DeliveredHost = HeldHost> {
  readonly source: {
    readonly name: string
    readHost(request: HostRequest): Promise<unknown>
  }
  /** Checks and copies an answer. @throws SourceError `SOURCE_INVALID` */
  accept(name: string, answer: unknown): HostAnswer<Held>
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: () => number
  /**
   * Puts an answer into service. Its result is that of the request.
   * @throws ProblemError for material that is refused; the name is then not requested again for a while.
   */
  use(name: string, answer: HostAnswer<Held>): Promise<T>
}

/** A name that failed is not requested again for this time, unless `negativeSeconds` is shorter. */
const FAILED_NAME_MS = 10_000

/** Problems of one name: the source has answered. */
const NAMES_OWN: ReadonlySet<ProblemCode> = new Set(['SOURCE_INVALID', 'SOURCE_WITHDRAWN'])

/** An outage is logged once, as clients see it. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

interface Flight<T> {
  readonly result: Deferred<T | Miss>
  readonly answer: Deferred<unknown>
  readonly abort: AbortController
  /** Runs when its answer is in service, or it has failed. */
  readonly onEnd: (() => void)[]
  /** Whether it counts for `maxPending`. */
  readonly isClients: boolean
}

/**
 * Requests hosts from a source: one query for each name, for any number of clients. Names outside the allow-list, names that
 * do not exist, and names beyond the limit of pending ones are not requested, nor is any during an outage of the source.
 */
export class HostQueries<T, Held extends DeliveredHost = HeldHost> {
  readonly queried: Record<HostQueryOutcome, number> = {
    ...{ delivered: 0, unchanged: 0, none: 0, SOURCE_UNREACHABLE: 0, SOURCE_DENIED: 0 },
    ...{ SOURCE_TIMEOUT: 0, SOURCE_INVALID: 0, SOURCE_WITHDRAWN: 0 },
  }
  readonly skipped: Record<SkippedQuery, number> = { 'not-allowed': 0, absent: 0, busy: 0, outage: 0 }
  /** As clients see it: it also counts failures of refreshes. */
  readonly outage: HostOutage
  /** Names that clients invent, or that the source refuses, must not prevent renewals of hosts in service. */
  readonly #refreshOutage: HostOutage
  readonly #parts: HostQueryParts<T, Held>
  readonly #limits: HostQueryLimits
  readonly #allowed: AllowedNames
  readonly #absent: AbsentNames
  readonly #flights = new Map<string, Flight<T>>()
  #clientsFlights = 0
  #closed = false

  constructor(parts: HostQueryParts<T, Held>, limits: HostQueryLimits) {
    const { source, clock, logger, random } = parts
    this.#parts = parts
    this.#limits = limits
    this.#allowed = new AllowedNames(limits.allow)
    this.#absent = new AbsentNames(clock)
    this.outage = new HostOutage(source.name, clock, logger, random)
    this.#refreshOutage = new HostOutage(source.name, clock, silent, random)
  }

  /** Names whose answer is not in service yet. */
  get pending(): number {
    return this.#flights.size
  }

  /** Names that are not requested, because they do not exist or failed a moment ago. */
  get absentNames(): number {
    return this.#absent.size
  }

  /** The result for the server name of a client; after `timeoutMs` at the latest. */
  request(servername: string): Promise<T | Miss> | Miss {
    const name = this.#allowed.read(servername)
    if (name === null) return this.#skip('not-allowed')
    if (this.#closed) return { miss: 'closed' }
    const known = this.#flights.get(name)
    if (known) return known.result.promise
    const absence = this.#absent.why(name)
    if (absence) return this.#skip('absent', absence === 'none' ? 'absent' : 'failing')
    if (this.#clientsFlights >= this.#limits.maxPending) return this.#skip('busy')
    return this.#query(name, null, true) ?? this.#skip('outage')
  }

  /**
   * Asks whether a host in service is current. It does not count for `maxPending`, and failures of clients' names do not hold it
   * back, so that clients cannot prevent renewals. Expects an allowed name.
   */
  refresh(name: string, version: string | null): Promise<T | Miss> | Miss {
    if (this.#closed) return { miss: 'closed' }
    return this.#flights.get(name)?.result.promise ?? this.#query(name, version, false) ?? { miss: 'outage' }
  }

  /**
   * For an announcement of the source: absent names may exist now, and a query that is under way may have been answered
   * before. Calls back for each of those when it has ended.
   */
  forget(name: string | null, ended: (name: string) => void): void {
    if (name === null) this.#absent.clear()
    else this.#absent.delete(name)
    for (const pending of name === null ? this.#flights.keys() : [name]) {
      const flight = this.#flights.get(pending)
      if (!flight || flight.onEnd.length > 0) continue
      flight.onEnd.push(() => {
        this.#absent.delete(pending)
        ended(pending)
      })
    }
  }

  /** Aborts all queries. Their requests, and all later ones, end with `closed`. */
  close(): void {
    this.#closed = true
    this.#absent.clear()
    for (const { abort, answer, result } of this.#flights.values()) {
      result.resolve({ miss: 'closed' })
      answer.reject(new SourceError('SOURCE_UNREACHABLE', 'the engine was closed'))
      abort.abort()
    }
  }

  #query(name: string, version: string | null, isClients: boolean): Promise<T | Miss> | null {
    const admission = (isClients ? this.outage : this.#refreshOutage).admit()
    if (admission === null) return null
    const flight = {
      result: deferred<T | Miss>(),
      answer: deferred<unknown>(),
      abort: new AbortController(),
      onEnd: [],
      isClients,
    }
    this.#flights.set(name, flight)
    if (isClients) this.#clientsFlights++
    this.#fly(name, version, admission, flight).then(flight.result.resolve, flight.result.reject)
    return flight.result.promise
  }

  async #fly(
    name: string,
    version: string | null,
    admission: Admission,
    flight: Flight<T>,
  ): Promise<T | Miss> {
    const { source, clock, use } = this.#parts
    const { result, answer, abort, onEnd, isClients } = flight
    const limitMs = this.#limits.timeoutMs
    const cancel = clock.after(limitMs, () => {
      // An answer that arrived in time is still put into service, for later clients.
      result.resolve({ miss: 'late' })
      // The source may ignore the signal.
      answer.reject(new SourceError('SOURCE_TIMEOUT', `it did not answer within ${limitMs} ms`))
      abort.abort()
    })
    try {
      call(() => source.readHost({ name, version, signal: abort.signal }), answer)
      const settled = await this.#settle(name, version, admission, flight)
      if (typeof settled === 'object' && 'miss' in settled) return settled
      return await use(name, settled)
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      this.#absent.add(name, 'failed', this.#failedNameMs)
      return { miss: 'failed', problem: { ...error.problem, host: name } }
    } finally {
      cancel()
      this.#flights.delete(name)
      if (isClients) this.#clientsFlights--
      for (const act of onEnd) act()
    }
  }

  async #settle(
    name: string,
    version: string | null,
    admission: Admission,
    { answer: { promise }, isClients }: Flight<T>,
  ): Promise<HostAnswer<Held> | Miss> {
    const { source, accept } = this.#parts
    try {
      const answer = accept(name, await promise)
      if (answer === 'unchanged' && version === null) throw unchangedFromNothing(name)
      this.#answered()
      this.queried[typeof answer === 'string' ? answer : 'delivered']++
      if (answer === 'none') this.#absent.add(name, 'none', this.#limits.negativeSeconds * 1000)
      else this.#absent.delete(name)
      return answer
    } catch (error) {
      if (this.#closed) return { miss: 'closed' }
      const failure = sourceFailure(source.name, error)
      const { retryAfterMs } = failure
      const problem = { ...failure.problem, host: name }
      this.queried[problem.code as SourceErrorCode]++
      if (NAMES_OWN.has(problem.code)) {
        this.#answered()
        this.#absent.add(name, 'failed', Math.max(this.#failedNameMs, retryAfterMs))
      } else if (isClients) {
        this.outage.failed(admission, problem, retryAfterMs)
        // The source may refuse this name alone: the next attempt belongs to another one.
        this.#absent.add(name, 'failed', this.#failedNameMs)
      } else {
        this.#refreshOutage.failed(admission, problem, retryAfterMs)
        this.outage.failed('query', problem, retryAfterMs)
      }
      return { miss: 'failed', problem }
    }
  }

  #answered(): void {
    this.outage.answered()
    this.#refreshOutage.answered()
  }

  get #failedNameMs(): number {
    return Math.min(FAILED_NAME_MS, this.#limits.negativeSeconds * 1000)
  }

  #skip(why: SkippedQuery, miss: Exclude<Miss, { miss: 'failed' }>['miss'] = why): Miss {
    this.skipped[why]++
    return { miss }
  }
}

/** Settles `answer` as the source does, which may throw at once. */
function call(read: () => Promise<unknown>, { resolve, reject }: Deferred<unknown>): void {
  try {
    Promise.resolve(read()).then(resolve, reject)
  } catch (error) {
    reject(error as Error)
  }
}

function unchangedFromNothing(name: string): SourceError {
  return new SourceError(
    'SOURCE_INVALID',
    `it answered \`unchanged\` for ${name}, which it has not delivered`,
  )
}
