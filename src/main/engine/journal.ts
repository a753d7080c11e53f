import { isDeepStrictEqual } from 'node:util'

import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { Outcome, ReloadResult } from '../api/result.js'
import type { Attempt, JournalStatus, Recovery } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { PassReport } from '../reload/pass-report.js'
import { SaidWarnings } from './said-warnings.js'

/** A list in a log line ends after so many entries: a certificate may have thousands of names. */
const MOST_LISTED = 20

/** Remembers how passes ended, and says each thing once. */
export class Journal {
  readonly #clock: Clock
  readonly #logger: Logger
  #lastAttempt!: Attempt
  #lastSuccess!: Attempt
  #lastFailure: Attempt | null = null
  #failingSinceMs: number | null = null
  #differsSinceMs: number | null = null
  /**
   * Other failures before do not count: the other half of a pair is only missing since its first half came. By the monotonic
   * clock: a step of the wall clock must not end the time that the other half has.
   */
  #mismatchSinceMs: number | null = null
  #consecutiveFailures = 0
  /** The disk as it was at the last failure, and the looks at it since. */
  #trouble: { kind: 'waiting' | 'failing'; state: string; looks: number } | null = null
  #said = new Set<string>()
  /** What the last pass reported about servers that were changed without the engine. */
  #overrides: ReadonlySet<string> = new Set()
  #fileWarnings: readonly Problem[] = []
  readonly #warnings = new SaidWarnings()
  readonly #passes: Record<Outcome, number> = {
    unchanged: 0,
    applied: 0,
    'waiting-for-pair': 0,
    rejected: 0,
    validated: 0,
  }

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** For how long all that is wrong has been a pair that does not match (yet); 0 when that is new. */
  mismatchMs(): number {
    return this.#mismatchSinceMs === null ? 0 : this.#clock.monotonicMs() - this.#mismatchSinceMs
  }

  get trouble(): { readonly kind: 'waiting' | 'failing'; readonly looks: number } | null {
    return this.#trouble
  }

  /** Takes note that there was a pass, and of nothing else. */
  count({ outcome }: ReloadResult): void {
    this.#passes[outcome]++
  }

  /**
   * Takes note of a pass that ended; returns the recovery, if it was one. `waits` tells that all that is wrong is half
   * of a pair, whose other half may still come.
   */
  settle(report: PassReport, waits: boolean = report.result.outcome === 'waiting-for-pair'): Recovery | null {
    const { result, failureDigest, pairMismatch, isRolledBack } = report
    this.count(result)
    this.#noteFileWarnings(report)
    this.#noteOverrides(result)
    // One pass has one time, whatever tells of it.
    const atMs = this.#clock.wallMs()
    const { trigger, outcome, problems } = result
    this.#lastAttempt = Object.freeze({ at: isoTime(atMs), trigger, outcome, problems })
    if (result.trigger === 'rollback') {
      // Says nothing of what is on disk now: no outage begins or ends.
      if (result.outcome === 'applied') {
        this.#differsSinceMs ??= atMs
        this.#sayApplied(result)
      } else this.#sayRefused(result)
      return null
    }
    if (result.outcome === 'applied') this.#sayApplied(result)
    if (result.problems.length === 0) {
      this.#lastSuccess = this.#lastAttempt
      this.#differsSinceMs = isRolledBack ? (this.#differsSinceMs ?? atMs) : null
      return this.#succeed(atMs, result)
    }
    // A change that is refused leaves what was in force in force: that is no outage.
    if (result.outcome === 'rejected' && result.trigger === 'update') this.#sayRefused(result)
    // A pass that was applied may have left some hosts behind.
    else this.#fail(atMs, result, waits, failureDigest, pairMismatch)
    return null
  }

  status(): JournalStatus {
    return {
      lastAttempt: this.#lastAttempt,
      lastSuccess: this.#lastSuccess,
      lastFailure: this.#lastFailure,
      failingSince: isoOrNull(this.#failingSinceMs),
      differsSince: isoOrNull(this.#differsSinceMs),
      consecutiveFailures: this.#consecutiveFailures,
      passes: { ...this.#passes },
    }
  }

  #succeed(atMs: number, result: ReloadResult): Recovery | null {
    const since = this.#failingSinceMs
    this.#failingSinceMs = null
    this.#mismatchSinceMs = null
    this.#consecutiveFailures = 0
    this.#trouble = null
    this.#said.clear()
    if (since === null) return null
    const recovery = { failedSince: isoTime(since), outageMs: atMs - since }
    this.#logger.info({ ...recovery, generation: result.generation }, 'certificate files recovered')
    return recovery
  }

  #fail(atMs: number, result: ReloadResult, waits: boolean, state: string, pairMismatch: boolean): void {
    const kind = waits ? 'waiting' : 'failing'
    const same = this.#trouble?.kind === kind && this.#trouble.state === state
    this.#trouble = { kind, state, looks: same && this.#trouble ? this.#trouble.looks + 1 : 0 }
    this.#failingSinceMs ??= atMs
    this.#differsSinceMs ??= atMs
    this.#mismatchSinceMs = pairMismatch ? (this.#mismatchSinceMs ?? this.#clock.monotonicMs()) : null
    this.#lastFailure = this.#lastAttempt
    this.#consecutiveFailures++
    this.#sayFailed(result, waits)
  }

  /** Such a warning is in every result; it is logged when it comes, with those of a generation that is applied. */
  #noteFileWarnings({ fileWarnings, result: { generation, outcome } }: PassReport): void {
    if (isDeepStrictEqual(fileWarnings, this.#fileWarnings)) return
    const isKnown = (warning: Problem) => this.#fileWarnings.some((one) => isDeepStrictEqual(one, warning))
    const added = outcome === 'applied' ? [] : fileWarnings.filter((warning) => !isKnown(warning))
    for (const warning of added) this.#logger.warn({ generation, ...warning }, 'certificate warning')
    this.#fileWarnings = fileWarnings
  }

  /** The same for servers that were changed without the engine. */
  #noteOverrides({ generation, warnings }: ReloadResult): void {
    const found = warnings.filter(({ code }) => code === 'SERVER_OVERRIDDEN')
    for (const warning of found) {
      if (!this.#overrides.has(warning.message))
        this.#logger.warn({ generation, ...warning }, 'certificate warning')
    }
    this.#overrides = new Set(found.map(({ message }) => message))
  }

  #sayApplied(result: ReloadResult): void {
    const { generation, trigger, changed, hosts, serving, diff, restored, warnings, timings } = result
    const { fingerprint256, notAfter, names } = serving
    const fields = {
      generation,
      trigger,
      ...changesOf(changed, hosts),
      fingerprint256,
      notAfter,
      names: shortList(names),
      diff: diff && shortLists(diff),
      ...(restored ? { restored } : {}),
      timings,
    }
    this.#logger.info(fields, appliedMessage(result))
    if (restored?.trust === 'restored') {
      this.#logger.warn(
        { generation, restored },
        'trust was rolled back: it may differ from the CA and CRL files',
      )
    }
    const isNew = this.#warnings.after(result)
    for (const warning of warnings) {
      if (warning.code === 'SERVER_OVERRIDDEN') continue
      const level = isNew(warning) ? 'warn' : 'debug'
      this.#logger[level]({ generation, ...warning }, 'certificate warning')
    }
  }

  /** Once for each distinct problem; repetitions are logged at `debug`. */
  #sayFailed({ outcome, trigger, generation, problems, serving }: ReloadResult, waits: boolean): void {
    const key = `${waits} ${problems.map(({ code, path, host }) => [code, path, host].join(' ')).join()}`
    const fields = {
      trigger,
      generation,
      problems,
      serving: serving.fingerprint256,
      notAfter: serving.notAfter,
    }
    const message = waits
      ? 'certificate and key do not match yet; the old pair serves on'
      : problems.every(({ code }) => code === 'MEMBER_EVICTED')
        ? 'trust was withdrawn, but not from members that do not answer'
        : outcome === 'applied'
          ? 'some hosts were not reloaded; their old certificates serve on'
          : 'certificates not reloaded; the old ones serve on'
    if (this.#said.has(key)) this.#logger.debug(fields, message)
    else if (waits) this.#logger.info(fields, message)
    else this.#logger.warn(fields, message)
    this.#said.add(key)
  }

  #sayRefused({ trigger, generation, problems }: ReloadResult): void {
    this.#logger.warn({ trigger, generation, problems }, 'change refused; what was in force stays in force')
  }
}

function appliedMessage({ trigger, restored }: ReloadResult): string {
  if (restored) {
    return restored.trust === 'kept'
      ? 'certificates rolled back; the trust in force was kept'
      : 'certificates and trust rolled back'
  }
  return trigger === 'start' ? 'certificates loaded' : 'certificates reloaded'
}

/** Thousands of hosts may be renewed at once; the result has all of their paths. */
function changesOf(changed: readonly string[], hosts: ReloadResult['hosts']): object {
  return { changed: changed.slice(0, MOST_PATHS), ...(hosts ? { hosts } : {}) }
}

const MOST_PATHS = 20

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}

function shortList(list: readonly unknown[]): readonly unknown[] {
  if (list.length <= MOST_LISTED) return list
  return [...list.slice(0, MOST_LISTED), `and ${list.length - MOST_LISTED} more`]
}

function shortLists(fields: object): object {
  const entries = Object.entries(fields) as [string, unknown][]
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Array.isArray(value) ? shortList(value) : value]),
  )
}
