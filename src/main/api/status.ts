import type { Problem } from '../../workers/base/problem.js'
import type { EndKind, MaterialEnd } from '../../workers/protocol/ends.js'
import type { Outcome, ReloadResult } from './result.js'

/** One look at the files, as it is remembered. Times are ISO 8601 in UTC. */
export interface Attempt {
  readonly at: string
  readonly trigger: ReloadResult['trigger']
  readonly outcome: Outcome
  readonly problems: readonly Problem[]
}

/** What the engine remembers of its passes; last attempt, last success and last failure are kept apart. */
export interface JournalStatus {
  readonly lastAttempt: Attempt
  /** The last time that the files and what is served agreed. */
  readonly lastSuccess: Attempt
  readonly lastFailure: Attempt | null
  /** Since when what is on disk could not be served; `null` while all is well. */
  readonly failingSince: string | null
  /** Since when what is served is not what is on disk, by a failure or a rollback; `null` while they are the same. */
  readonly differsSince: string | null
  readonly consecutiveFailures: number
  /** Passes by outcome, since the start. */
  readonly passes: Readonly<Record<Outcome, number>>
}

/** The end of an outage. */
export interface Recovery {
  readonly failedSince: string
  readonly outageMs: number
}

/** Something that is served comes near its end, or has reached it. */
export interface ExpiryNotice extends MaterialEnd {
  readonly generation: number
  /** The threshold that was passed, in days before the end; 0 when it has expired. */
  readonly thresholdDays: number
  /** Milliseconds that are left; 0 or less once it has expired. */
  readonly leftMs: number
  /**
   * Others of the same kind that passed the same threshold at the same comparison and end later, the first
   * 20 of them: hundreds of hosts may end on one day.
   */
  readonly others: readonly MaterialEnd[]
  /** How many ends this notice is about, this one and all others. */
  readonly count: number
}

/** The first end of one kind of material, at the time of the call. */
export interface CurrentEnd extends MaterialEnd {
  /** Whether it has ended, by the engine's clock. */
  readonly expired: boolean
}

/** The first end of each kind of material, at the time of the call; `null` where there is none. */
export type CurrentEnds = { readonly [Kind in EndKind]: CurrentEnd | null }
