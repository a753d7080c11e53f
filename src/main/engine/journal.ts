import { isDeepStrictEqual } from 'node:util'

import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { Outcome, ReloadResult } from '../api/result.js'
import type { Attempt, JournalStatus, Recovery } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { PassReport } from '../reload/pass-report.js'
import { LoggedWarnings } from './logged-warnings.js'

/** Maximum length of a list in a log line: a certificate may have thousands of names. */
const MAX_LISTED = 20

/** Records the outcomes of passes, and logs each distinct problem once. */
export class Journal {
  readonly #clock: Clock
  readonly #logger: Logger
  #lastAttempt!: Attempt
  #lastSuccess!: Attempt
  #lastFailure: Attempt | null = null
  #failingSinceMs: number | null = null
  #differsSinceMs: number | null = null
  /**
   * Since when a mismatched pair has been the only problem. Earlier failures of other kinds do not count. By the monotonic
   * clock, so that a step of the wall clock does not change the time limit for the other half.
   */
  #mismatchSinceMs: number | null = null
  #consecutiveFailures = 0
  /** The current failure, and the number of passes since then that found the same one. */
  #trouble: { kind: 'waiting' | 'failing'; digest: string; retries: number } | null = null
  /** Keys of the problems that have been logged during the current failure. */
  #logged = new Set<string>()
  /** Messages of the last pass about servers that were changed without the engine. */
  #overrides: ReadonlySet<string> = new Set()
  #fileWarnings: readonly Problem[] = []
  readonly #warnings = new LoggedWarnings()
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

  /** For how long a mismatched pair has been the only problem, in milliseconds; 0 if it was not in the last pass. */
  mismatchMs(): number {
    return this.#mismatchSinceMs === null ? 0 : this.#clock.monotonicMs() - this.#mismatchSinceMs
  }

  get trouble(): { readonly kind: 'waiting' | 'failing'; readonly retries: number } | null {
    return this.#trouble
  }

  /** Only counts a pass. */
  count({ outcome }: ReloadResult): void {
    this.#passes[outcome]++
  }

  /**
   * Records and logs a pass.
   *
   * @param waits whether the only problem is a mismatched pair whose other half may still be written.
   * @returns the recovery, if the pass ended an outage.
   */
  settle(report: PassReport, waits: boolean = report.result.outcome === 'waiting-for-pair'): Recovery | null {
    const { result, failureDigest, pairMismatch, isRolledBack } = report
    this.count(result)
    this.#noteFileWarnings(report)
    this.#noteOverrides(result)
    // One time for everything that reports this pass.
    const atMs = this.#clock.wallMs()
    const { trigger, outcome, problems } = result
    this.#lastAttempt = Object.freeze({ at: isoTime(atMs), trigger, outcome, problems })
    if (result.trigger === 'rollback') {
      // A rollback does not read the files, so no outage begins or ends.
      if (result.outcome === 'applied') {
        this.#differsSinceMs ??= atMs
        this.#logApplied(result)
      } else this.#logRefused(result)
      return null
    }
    if (result.outcome === 'applied') this.#logApplied(result)
    if (result.problems.length === 0) {
      this.#lastSuccess = this.#lastAttempt
      this.#differsSinceMs = isRolledBack ? (this.#differsSinceMs ?? atMs) : null
      return this.#succeed(atMs, result)
    }
    // A refused update changes nothing, so it is not an outage.
    if (result.outcome === 'rejected' && result.trigger === 'update') this.#logRefused(result)
    // An applied pass may have problems with some hosts.
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
    this.#logged.clear()
    if (since === null) return null
    const recovery = { failedSince: isoTime(since), outageMs: atMs - since }
    this.#logger.info({ ...recovery, generation: result.generation }, 'certificates can be loaded again')
    return recovery
  }

  #fail(atMs: number, result: ReloadResult, waits: boolean, digest: string, pairMismatch: boolean): void {
    const kind = waits ? 'waiting' : 'failing'
    const same = this.#trouble?.kind === kind && this.#trouble.digest === digest
    this.#trouble = { kind, digest, retries: same && this.#trouble ? this.#trouble.retries + 1 : 0 }
    this.#failingSinceMs ??= atMs
    this.#differsSinceMs ??= atMs
    this.#mismatchSinceMs = pairMismatch ? (this.#mismatchSinceMs ?? this.#clock.monotonicMs()) : null
    this.#lastFailure = this.#lastAttempt
    this.#consecutiveFailures++
    this.#logFailed(result, waits)
  }

  /** Logs new file warnings. Those of an applied generation are logged with its other warnings. */
  #noteFileWarnings({ fileWarnings, result: { generation, outcome } }: PassReport): void {
    if (isDeepStrictEqual(fileWarnings, this.#fileWarnings)) return
    const isKnown = (warning: Problem) => this.#fileWarnings.some((one) => isDeepStrictEqual(one, warning))
    const added = outcome === 'applied' ? [] : fileWarnings.filter((warning) => !isKnown(warning))
    for (const warning of added) this.#logger.warn({ generation, ...warning }, 'certificate warning')
    this.#fileWarnings = fileWarnings
  }

  /** Logs new warnings about servers that were changed without the engine. */
  #noteOverrides({ generation, warnings }: ReloadResult): void {
    const found = warnings.filter(({ code }) => code === 'SERVER_OVERRIDDEN')
    for (const warning of found) {
      if (!this.#overrides.has(warning.message))
        this.#logger.warn({ generation, ...warning }, 'certificate warning')
    }
    this.#overrides = new Set(found.map(({ message }) => message))
  }

  #logApplied(result: ReloadResult): void {
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
    const isNew = this.#warnings.record(result)
    for (const warning of warnings) {
      if (warning.code === 'SERVER_OVERRIDDEN') continue
      const level = isNew(warning) ? 'warn' : 'debug'
      this.#logger[level]({ generation, ...warning }, 'certificate warning')
    }
  }

  /** Logs each distinct problem once; repetitions at `debug`. */
  #logFailed({ outcome, trigger, generation, problems, serving }: ReloadResult, waits: boolean): void {
    const keys = problems.map(({ code, path, host }) => [waits, code, path, host].join(' '))
    const fields = {
      trigger,
      generation,
      problems,
      serving: serving.fingerprint256,
      notAfter: serving.notAfter,
    }
    const message = waits
      ? 'certificate and key do not match yet; the old pair stays in service'
      : problems.every(({ code }) => code === 'MEMBER_EVICTED')
        ? 'trust was withdrawn, but evicted members still use the old trust'
        : outcome === 'applied' && problems.every(({ code }) => code.startsWith('SOURCE_'))
          ? 'files were reloaded; the source gave no material, and what it delivered last stays in service'
          : outcome === 'applied'
            ? 'some hosts were not reloaded; their old certificates stay in service'
            : 'certificates not reloaded; the old ones stay in service'
    // A later pass may find only some of them: a thread at a hanging mount, for example, names fewer files.
    if (keys.every((key) => this.#logged.has(key))) this.#logger.debug(fields, message)
    else if (waits) this.#logger.info(fields, message)
    else this.#logger.warn(fields, message)
    for (const key of keys) this.#logged.add(key)
  }

  #logRefused({ trigger, generation, problems }: ReloadResult): void {
    this.#logger.warn(
      { trigger, generation, problems },
      'change refused; the previous options and certificates stay in force',
    )
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

/** Shortened, because thousands of hosts may be renewed at once. The result has all paths. */
function changesOf(changed: readonly string[], hosts: ReloadResult['hosts']): object {
  return { changed: changed.slice(0, MAX_PATHS), ...(hosts ? { hosts } : {}) }
}

const MAX_PATHS = 20

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}

function shortList(list: readonly unknown[]): readonly unknown[] {
  if (list.length <= MAX_LISTED) return list
  return [...list.slice(0, MAX_LISTED), `and ${list.length - MAX_LISTED} more`]
}

function shortLists(fields: object): object {
  const entries = Object.entries(fields) as [string, unknown][]
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Array.isArray(value) ? shortList(value) : value]),
  )
}
