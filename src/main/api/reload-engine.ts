import type { Problem } from '../../workers/base/problem.js'
import type { Generation } from './generation.js'
import type { EvictedMember, MemberStatus } from './members.js'
import type { EngineChanges } from './options.js'
import type { ReloadResult } from './result.js'
import type { ServingEngine } from './serving-engine.js'
import type { CurrentEnds, ExpiryNotice, JournalStatus, Recovery } from './status.js'

/** What one call of {@link ReloadEngine.reload} may ask for. */
export interface ReloadOptions {
  /** Let the set past what `policy` rejects; never past what cannot serve. */
  readonly force?: boolean
  /**
   * Prepare and validate only: nothing is swapped, and the outcome is `validated` where it would be `applied`. Half a
   * pair is `rejected`, because it waits for no other half. The only event is `settled`.
   */
  readonly dryRun?: boolean
  /** Stops waiting, with `ABORTED`; the pass goes on for its other callers. */
  readonly signal?: AbortSignal
  /** What is recorded as the cause. @defaultValue `'api'` */
  readonly trigger?: 'api' | 'signal' | 'control'
}

/** Events of an engine, with what their listeners get. */
export interface ReloadEvents {
  /** A pass has ended, with any outcome. Emitted before the event of that outcome. */
  settled: [ReloadResult]
  /** A check by the timer found nothing new. */
  checked: [ReloadResult]
  applied: [ReloadResult]
  rejected: [ReloadResult]
  waiting: [ReloadResult]
  /** A set that could not be served can be served again. */
  recovered: [Recovery]
  /**
   * Something that is served has passed a threshold of `expiryWarningDays`, or its end: a leaf, a certificate of its chain, a
   * trust anchor or a revocation list. Once for each threshold.
   */
  expiring: [ExpiryNotice]
  /**
   * A member of the fleet did not answer for too long, and the others go on without it (`shareEngine` of
   * `certswap/cluster`). It keeps what it serves until it answers and joins again.
   */
  evicted: [EvictedMember]
}

/** Frozen, plain data; no secret in it. */
export interface EngineStatus extends JournalStatus {
  readonly state: 'serving' | 'waiting-for-pair' | 'failing' | 'closed'
  /** What is served; `warnings` as of now. */
  readonly generation: Generation
  /** The first end of each kind of material, SNI hosts included. */
  readonly ends: CurrentEnds
  /**
   * What is wrong with what is served, as of now: with the material, and with files whose path does not show what is on disk
   * (`FILE_MOUNTED`, `FILE_DETACHED`). `CERT_EXPIRED`, `CA_EXPIRED` and `CRL_EXPIRED` come when something expires while it is
   * served, and go when it is renewed; `CERT_NOT_YET_VALID` and `CRL_NOT_YET_VALID` hold while the clock is before the begin of
   * something that is served. The same as `generation.warnings`.
   */
  readonly warnings: readonly Problem[]
  readonly autoReloadInterval: number
  /** Milliseconds until the next check; `null` when none is planned. */
  readonly nextCheckInMs: number | null
  /** Attached servers that are not closed. */
  readonly servers: number
  /** Live connections of attached servers by the number of the generation that they were accepted under. */
  readonly connections: Readonly<Record<number, number>>
  /**
   * Processes and threads that serve what this engine prepares, evicted ones included. Their connections are in `connections`
   * too; those of an evicted member never count as connections of the current generation.
   */
  readonly members: readonly MemberStatus[]
}

/** A running engine. Nothing that it serves changes but by a pass that ended with `applied`. */
export interface ReloadEngine extends ServingEngine {
  /**
   * Looks at the files now, by the same path as the timer. Resolves once the new certificate serves, or with why not.
   * @throws ReloadError `ABORTED` or `CLOSED`; trouble with files is a `rejected` result.
   */
  reload(options?: ReloadOptions): Promise<ReloadResult>
  /**
   * Changes paths, policy, TLS options, peer policy or the interval, several at once: all or none. What is new is
   * loaded by the same path as a reload; if it is refused, the old options and the old certificate stay in force. The
   * interval alone loads nothing, even while the files on disk are bad.
   * @throws ReloadError `OPTIONS_INVALID` (also when the change would leave a server that requests client certificates
   * without anchors) or `CLOSED`; trouble with files is a `rejected` result.
   */
  update(changes: EngineChanges): Promise<ReloadResult>
  /**
   * Serves the certificates, hosts and options of an earlier generation again. Trust is not rolled back unless
   * `trust: true` requests it: the CAs, revocation lists and client-certificate policy in force stay in force, and
   * `result.restored.trust` states which. The timer does not load the certificates that were rolled back until their files
   * change; trust files are loaded as soon as they change; `reload()` loads everything. A number is the same as
   * `{ generation }`.
   * @throws ReloadError `GENERATION_UNKNOWN`, `OPTIONS_INVALID` (also when restored trust would leave a server that
   * requests client certificates without anchors) or `CLOSED`.
   */
  rollback(options?: number | RollbackOptions): Promise<ReloadResult>
  /** What is served, and the earlier generations that `rollback()` can go back to, the newest first. */
  history(): readonly Generation[]
  status(): EngineStatus
  /** Seconds between checks, `0` is off. Setting it loads nothing. @throws ReloadError `OPTIONS_INVALID` */
  autoReloadInterval: number
  on<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  once<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  off<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  /** Stops checking and gives the worker thread back; attached servers serve on. May be called at any time, twice too. */
  close(): Promise<void>
}

/** Options of {@link ReloadEngine.rollback}. */
export interface RollbackOptions {
  /**
   * Number of the generation to serve again.
   * @defaultValue the generation before the one that is served
   */
  readonly generation?: number
  /**
   * Also restores the trust of that generation: trust anchors, revocation lists, `requestCert`, `rejectUnauthorized`,
   * `tls.allowPartialTrustChain`, the ticket secret, and the paths of `ca`, `caDir` and `crl`. Without it the trust that is
   * in force stays in force, so that a rollback never lets a revoked certificate or a removed CA back in.
   * @defaultValue `false`
   */
  readonly trust?: boolean
}
