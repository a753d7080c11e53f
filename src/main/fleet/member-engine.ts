import type { Problem } from '../../workers/base/problem.js'
import type { Generation } from '../api/generation.js'
import type { ReloadOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { ServingEngine } from '../api/serving-engine.js'
import type { CurrentEnds, ExpiryNotice } from '../api/status.js'

/** Events of a joined engine. */
export interface JoinedEvents {
  /** As in `ReloadEvents`. It is logged here only once the primary has gone: until then the primary logs it. */
  expiring: [ExpiryNotice]
  /** A generation that the primary prepared serves here. */
  applied: [AppliedGeneration]
  /** The primary has gone: what is served goes on being served, and nothing renews it any more. */
  orphaned: []
  /**
   * The fleet has gone on without this process or thread, because it did not answer in time. It keeps serving what it serves,
   * and joins again by itself: `applied` follows. A process that is ended and replaced instead may exit here.
   */
  evicted: [Eviction]
}

/** Why a fleet went on without a member. */
export interface Eviction {
  /** The generation that is served until the member has joined again. */
  readonly generation: number
  /** What the primary says, for the log. */
  readonly reason: string
}

/** A generation that has begun to serve. */
export interface AppliedGeneration {
  readonly generation: Generation
  readonly diff: {
    /** Whether TLS sessions begun before are resumed: true exactly when no trust changed. */
    readonly sessionsSurvive: boolean
  }
}

/** What a joined engine serves, and how it is. */
export interface JoinedStatus {
  /** `evicted`: the fleet has gone on without it, and it is joining again. */
  readonly state: 'serving' | 'evicted' | 'orphaned' | 'closed'
  /** What is served; `warnings` as of now. */
  readonly generation: Generation
  /** As in `EngineStatus`. */
  readonly ends: CurrentEnds
  /** As in `EngineStatus`. */
  readonly warnings: readonly Problem[]
  readonly servers: number
  readonly connections: Readonly<Record<number, number>>
}

/**
 * The engine of a process, or thread, that serves what another one prepares: as a `ReloadEngine`, without files of its own.
 */
export interface MemberEngine extends ServingEngine {
  /**
   * Has the primary look at the files: the answer is that of the whole fleet.
   * @throws ReloadError `CLOSED`, also when the primary has gone.
   */
  reload(options?: Pick<ReloadOptions, 'force' | 'dryRun'>): Promise<ReloadResult>
  status(): JoinedStatus
  on<E extends keyof JoinedEvents>(event: E, listener: (...args: JoinedEvents[E]) => void): this
  off<E extends keyof JoinedEvents>(event: E, listener: (...args: JoinedEvents[E]) => void): this
  /** Follows no more; attached servers serve on. */
  close(): Promise<void>
}
