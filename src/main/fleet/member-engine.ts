import type { Problem } from '../../workers/base/problem.js'
import type { Generation } from '../api/generation.js'
import type { ReloadOptions } from '../api/reload-engine.js'
import type { Renewal } from '../api/renewal.js'
import type { ReloadResult } from '../api/result.js'
import type { ServingEngine } from '../api/serving-engine.js'
import type { CurrentEnds, ExpiryNotice, RefusedPeers } from '../api/status.js'

/** Events of a joined engine. */
export interface JoinedEvents {
  /** As in `ReloadEvents`. The primary logs it; this process does so only once the primary has ended. */
  expiring: [ExpiryNotice]
  /** A generation that the primary prepared is in service here. */
  applied: [AppliedGeneration]
  /**
   * As in `ReloadEvents`, for the generation in service here. Emitted after `applied`, and also if the fleet has returned to the
   * previous generation because another member refused the new one.
   */
  renewed: [Renewal]
  /** The primary has ended: the last certificates stay in service, and are not renewed any more. */
  orphaned: []
  /**
   * This process or thread was evicted from the fleet, because it did not answer in time. It keeps its certificates in
   * service and rejoins automatically; `applied` follows. A process that should be replaced instead may exit here.
   */
  evicted: [Eviction]
}

/** The eviction of a member. */
export interface Eviction {
  /** The generation that is served until the member has rejoined. */
  readonly generation: number
  /** The reason that the primary gives, for the log. */
  readonly reason: string
}

/** A generation that is now in service. */
export interface AppliedGeneration {
  readonly generation: Generation
  readonly diff: {
    /** Whether earlier TLS sessions can be resumed: `true` if neither trust nor the ticket secret changed. */
    readonly sessionsSurvive: boolean
  }
}

/** The status of a joined engine. */
export interface JoinedStatus {
  /** `evicted`: the fleet continues without this member, which is rejoining. `orphaned`: the primary has ended. */
  readonly state: 'serving' | 'evicted' | 'orphaned' | 'closed'
  /** The served generation, with current `warnings`. */
  readonly generation: Generation
  /** As in `EngineStatus`. */
  readonly ends: CurrentEnds
  /** As in `EngineStatus`. */
  readonly warnings: readonly Problem[]
  readonly servers: number
  readonly connections: Readonly<Record<number, number>>
  /** Those of this process or thread. */
  readonly refusedPeers: RefusedPeers
}

/** The engine of a member: serves the certificates that the primary prepares, and reads no files itself. */
export interface MemberEngine extends ServingEngine {
  /**
   * Requests a reload from the primary. Resolves with the result for the whole fleet.
   * @throws ReloadError `CLOSED`, also when the primary has ended, or `ABORTED` when the primary could not reload.
   */
  reload(options?: Pick<ReloadOptions, 'force' | 'dryRun'>): Promise<ReloadResult>
  status(): JoinedStatus
  on<E extends keyof JoinedEvents>(event: E, listener: (...args: JoinedEvents[E]) => void): this
  off<E extends keyof JoinedEvents>(event: E, listener: (...args: JoinedEvents[E]) => void): this
  /** Leaves the fleet. Attached servers keep their current certificates in service. */
  close(): Promise<void>
}
