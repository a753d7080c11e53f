import type { Problem, ProblemCode } from '../../workers/base/problem.js'
import type { EndKind } from '../../workers/protocol/end-kinds.js'
import type { MaterialEnd } from '../../workers/protocol/ends.js'
import type { Outcome, ReloadResult } from './result.js'
import type { SourceErrorCode } from './source.js'

/** The record of one pass. Times are ISO 8601 in UTC. */
export interface Attempt {
  readonly at: string
  readonly trigger: ReloadResult['trigger']
  readonly outcome: Outcome
  readonly problems: readonly Problem[]
}

/** The engine's records of its passes. Times are ISO 8601 in UTC. */
export interface JournalStatus {
  readonly lastAttempt: Attempt
  /** The last pass without a problem. */
  readonly lastSuccess: Attempt
  readonly lastFailure: Attempt | null
  /** Since when the files on disk could not be served; `null` if they can. */
  readonly failingSince: string | null
  /** Since when the served certificates differ from those on disk, by a failure or a rollback; `null` if they are the same. */
  readonly differsSince: string | null
  readonly consecutiveFailures: number
  /** Number of passes by outcome, since the start. */
  readonly passes: Readonly<Record<Outcome, number>>
}

/** The state of the engine's `source`. Times are ISO 8601 in UTC. */
export interface SourceStatus {
  readonly name: string
  /** Version of the delivery in service; `null` after a rollback until the source delivers again. */
  readonly version: string | null
  /** Since when that version has been in service: the age of the served material. */
  readonly servedSince: string | null
  /** The last answer with usable material, or that nothing changed; `null` if there was none yet. */
  readonly lastSuccess: string | null
  /** Since when the source has not given usable material; `null` if it has. */
  readonly failingSince: string | null
  /** Number of failures by code, since the start. */
  readonly failures: Readonly<Partial<Record<ProblemCode, number>>>
  /** Whether the served material was kept from an earlier run, and the source has not answered yet. */
  readonly stale: boolean
  /** Since when the source cannot announce changes, so that only the timer finds them, and why; `null` while it can. */
  readonly pushOutage: { readonly since: string; readonly problem: Problem } | null
}

/** Result of a query for a host on demand. */
export type HostQueryOutcome = 'delivered' | 'unchanged' | 'none' | SourceErrorCode

/**
 * Why a client's name was not requested: it is not in `allow`, does not exist or failed a moment ago, is beyond `maxPending`,
 * or the source does not answer.
 */
export type SkippedQuery = 'not-allowed' | 'absent' | 'busy' | 'outage'

/** The state of hosts on demand (`hosts.onDemand`). Times are ISO 8601 in UTC. */
export interface OnDemandStatus {
  /** Name of the source. */
  readonly source: string
  /** Hosts in service. */
  readonly hosts: number
  /** Names whose answer is awaited or not in service yet. */
  readonly pending: number
  /** Names that are remembered, so that they are not requested again for a while. */
  readonly absent: number
  /** Since when the source has not answered; `null` if it answers. */
  readonly failingSince: string | null
  /** Why the source does not answer; `null` if it does. */
  readonly problem: Problem | null
  /** Number of queries by result, since the start. */
  readonly queries: Readonly<Record<HostQueryOutcome, number>>
  /** Number of requests of clients without a query, since the start. */
  readonly skipped: Readonly<Record<SkippedQuery, number>>
  /** Deliveries whose material was refused, since the start. */
  readonly refused: number
  /** Hosts that were removed because others were used more recently, since the start. */
  readonly evicted: number
}

/**
 * Number of verified clients that were refused since the start, by reason. `PEER_NOT_ALLOWED`: no rule of the option `peers` names
 * them. `TRUST_DOMAIN`: their certificate leads to an anchor of another trust domain than its own.
 */
export type RefusedPeers = Readonly<Record<'PEER_NOT_ALLOWED' | 'TRUST_DOMAIN', number>>

/** The end of an outage. */
export interface Recovery {
  readonly failedSince: string
  readonly outageMs: number
}

/** Served material is about to expire, or has expired. */
export interface ExpiryNotice extends MaterialEnd {
  readonly generation: number
  /** The threshold that was passed, in days before the end; 0 if it has expired. */
  readonly thresholdDays: number
  /** Remaining milliseconds; 0 or less after expiry. */
  readonly leftMs: number
  /**
   * Further ends of the same kind that passed the same threshold at the same time and end later. At most 20: hundreds of hosts
   * may expire on one day.
   */
  readonly others: readonly MaterialEnd[]
  /** Number of ends in this notice, including this one and all others. */
  readonly count: number
}

/** The first end of one kind of material, at the time of the call. */
export interface CurrentEnd extends MaterialEnd {
  /** Whether it has ended, by the engine's clock. */
  readonly expired: boolean
}

/** The first end of each kind of material, at the time of the call; `null` if there is none. */
export type CurrentEnds = { readonly [Kind in EndKind]: CurrentEnd | null }
