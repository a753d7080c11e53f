import { type Problem, ProblemError } from '../../workers/base/problem.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { FirstReading, HeldDelivery, Reading } from '../reload/material-feed.js'
import { problemsOf } from '../reload/pass-report.js'

type Failed = Extract<Reading, { kind: 'failed' }>

export interface FirstReadingParts {
  /** The name of the source. */
  readonly source: string
  readonly clock: Clock
  readonly logger: Logger
  readonly timeoutMs: number
  readonly startTimeoutMs: number
  /** For how long the source alone is asked; `null` without `lastGood`. */
  readonly keptAfterMs: number | null
  /** One call of the source. */
  readonly attempt: (timeoutMs: number) => Promise<Reading>
  /** Counts the failure of a call, and delays the next one. */
  readonly onFailed: (failed: Failed) => void
  /** Milliseconds until the next attempt after a failure. */
  readonly retryDelayMs: () => number | null
  /** What `lastGood` kept; `null` if there is nothing. @throws ProblemError */
  readonly readKept: () => Promise<HeldDelivery | null>
  /** Counts a problem of what was kept. */
  readonly onRefused: (problem: Problem) => void
}

/** When the last attempt of a start is made, in milliseconds before its end. */
const LAST_MS = 1000

/**
 * The readings of a start, until one of them can be served: the source is asked until it answers. If it does not answer in time,
 * or delivers what cannot be served, what was kept earlier is tried once.
 */
export class FirstReadings {
  readonly #parts: FirstReadingParts
  readonly #endMs: number
  /** When what was kept is due; `null` without `lastGood`, and when it has been tried. */
  #keptAtMs: number | null
  #problem: Problem | null = null
  /** Whether the source has stated that the identity does not exist: then what was kept must not be served. */
  #isWithdrawn = false
  /** Why what was kept cannot be served. */
  #keptProblem: Problem | null = null
  /** Why a delivery cannot be served. */
  #refusal: unknown = null
  #logged = ''

  constructor(parts: FirstReadingParts) {
    const { clock, startTimeoutMs, keptAfterMs } = parts
    this.#parts = parts
    const now = clock.monotonicMs()
    this.#endMs = now + startTimeoutMs
    this.#keptAtMs = keptAfterMs === null ? null : now + Math.min(keptAfterMs, startTimeoutMs)
  }

  /** @throws ReloadError with the code of the last problem of the source. */
  async next(): Promise<FirstReading> {
    for (;;) {
      const kept = this.#isKeptDue ? await this.#kept() : null
      if (kept) return kept
      if (this.#refusal !== null) throw this.#refusal
      if (this.#problem && this.#leftMs <= 0) throw this.#gaveUp(this.#problem)
      const limitMs = Math.max(1, Math.min(this.#parts.timeoutMs, this.#untilTurnMs))
      const reading = await this.#parts.attempt(limitMs)
      if (reading.kind === 'delivered') return reading
      const failed = reading as Failed
      this.#parts.onFailed(failed)
      // An attempt that was cut short says less than the one before.
      const isCut = limitMs < this.#parts.timeoutMs && failed.problem.code === 'SOURCE_TIMEOUT'
      this.#problem = isCut && this.#problem ? this.#problem : failed.problem
      this.#isWithdrawn ||= failed.problem.code === 'SOURCE_WITHDRAWN'
      const waitMs = this.#parts.retryDelayMs() ?? 0
      if (this.#isKeptPossible) await this.#wait(Math.min(waitMs, this.#untilTurnMs))
      else if (this.#leftMs <= 0) throw this.#gaveUp(this.#problem)
      else await this.#wait(this.#untilNextMs(waitMs, failed.retryAfterMs))
    }
  }

  /**
   * Takes the failure of the first load with a reading.
   *
   * @returns whether another reading may succeed.
   */
  refused({ kind }: FirstReading, error: unknown): boolean {
    if (kind === 'kept') {
      this.#refuseKept(problemsOf(error)[0] as Problem)
      return true
    }
    if (this.#keptAtMs === null) return false
    this.#refusal = error
    return true
  }

  get #leftMs(): number {
    return this.#endMs - this.#parts.clock.monotonicMs()
  }

  /** Until what was kept is due, or until the end of the start. */
  get #untilTurnMs(): number {
    const at = this.#isKeptPossible ? (this.#keptAtMs as number) : this.#endMs
    return Math.max(0, at - this.#parts.clock.monotonicMs())
  }

  get #isKeptPossible(): boolean {
    return this.#keptAtMs !== null && !this.#isWithdrawn
  }

  /** The last attempt is made a second before the end, unless the source asked for more time. */
  #untilNextMs(waitMs: number, retryAfterMs: number): number {
    const untilLastMs = Math.max(LAST_MS, this.#leftMs - LAST_MS)
    return Math.min(Math.max(retryAfterMs, Math.min(waitMs, untilLastMs)), this.#leftMs)
  }

  get #isKeptDue(): boolean {
    return this.#isKeptPossible && (this.#refusal !== null || this.#untilTurnMs === 0)
  }

  async #kept(): Promise<FirstReading | null> {
    this.#keptAtMs = null
    const { source, logger, readKept } = this.#parts
    try {
      const held = await readKept()
      if (!held) return null
      const fields = { source, version: held.version, problem: this.#problem ?? problemsOf(this.#refusal)[0] }
      logger.warn(fields, 'the source gave no usable material: loading what was kept earlier')
      return { kind: 'kept', held }
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      this.#refuseKept(error.problem)
      return null
    }
  }

  #refuseKept(problem: Problem): void {
    this.#keptProblem = problem
    const { source, logger, onRefused } = this.#parts
    onRefused(problem)
    logger.warn({ source, problem }, 'what was kept earlier cannot be served')
  }

  #gaveUp(problem: Problem): ReloadError {
    const seconds = this.#parts.startTimeoutMs / 1000
    const message = `${problem.message}; the start waits ${seconds} s for the source (\`startTimeoutSeconds\`)`
    const problems = [{ ...problem, message }, ...(this.#keptProblem ? [this.#keptProblem] : [])]
    return new ReloadError(problem.code, message, { problems })
  }

  async #wait(ms: number): Promise<void> {
    const { source, clock, logger } = this.#parts
    const problem = this.#problem as Problem
    if (this.#logged !== problem.code) {
      const fields = { source, problem, giveUpInSeconds: Math.round(this.#leftMs / 1000) }
      logger.warn(fields, 'waiting for the source of the certificates')
      this.#logged = problem.code
    }
    await new Promise<void>((resolve) => {
      clock.after(ms, resolve)
    })
  }
}
