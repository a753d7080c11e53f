import type { Problem } from '../../workers/base/problem.js'
import type { Generation } from './generation.js'
import type { EvictedMember, MemberStatus } from './members.js'
import type { EngineChanges } from './options.js'
import type { Renewal } from './renewal.js'
import type { ReloadResult } from './result.js'
import type { ServingEngine } from './serving-engine.js'
import type {
  CurrentEnds,
  ExpiryNotice,
  JournalStatus,
  OnDemandStatus,
  Recovery,
  RefusedPeers,
  SourceStatus,
} from './status.js'

/** Options of {@link ReloadEngine.reload}. */
export interface ReloadOptions {
  /** Accept files that `policy` would reject; unusable files are still refused. @defaultValue `false` */
  readonly force?: boolean
  /**
   * Only prepare and validate: nothing is swapped, and the outcome is `validated` instead of `applied`. Half of a pair is
   * `rejected`, because a dry run does not wait for the other half. The only event is `settled`.
   * @defaultValue `false`
   */
  readonly dryRun?: boolean
  /** When it is aborted, the call rejects with `ABORTED`; the pass itself continues. */
  readonly signal?: AbortSignal
  /** The recorded trigger. @defaultValue `'api'` */
  readonly trigger?: 'api' | 'signal' | 'control'
}

/** Events of an engine, with the arguments of their listeners. */
export interface ReloadEvents {
  /** A pass has ended, with any outcome. Emitted before the event of that outcome. */
  settled: [ReloadResult]
  /** A check by the timer found no change. */
  checked: [ReloadResult]
  applied: [ReloadResult]
  /**
   * A new generation is in service, after a reload, an update or a rollback: states what it changes for connections that are
   * already open. Emitted after `applied`.
   */
  renewed: [Renewal]
  rejected: [ReloadResult]
  waiting: [ReloadResult]
  /** The files could not be served before, and can be served again. */
  recovered: [Recovery]
  /**
   * A served leaf, chain certificate, trust anchor or revocation list has passed a threshold of `expiryWarningDays`, or has
   * expired. Once for each threshold.
   */
  expiring: [ExpiryNotice]
  /**
   * A member of the fleet did not answer for too long, and the others continue without it (`shareEngine` of
   * `certswap/cluster`). Its certificates stay in service until it answers and rejoins.
   */
  evicted: [EvictedMember]
}

/** Status of an engine: frozen, plain data, without secrets. */
export interface EngineStatus extends JournalStatus {
  readonly state: 'serving' | 'waiting-for-pair' | 'failing' | 'closed'
  /** The served generation, with current `warnings`. */
  readonly generation: Generation
  /** The first end of each kind of material, including SNI hosts. */
  readonly ends: CurrentEnds
  /**
   * Current problems of the served material, and of files whose path does not show what is on disk (`FILE_MOUNTED`,
   * `FILE_DETACHED`). `CERT_EXPIRED`, `CA_EXPIRED` and `CRL_EXPIRED` appear when served material expires, and disappear with
   * its renewal; `CERT_NOT_YET_VALID` and `CRL_NOT_YET_VALID` hold while the clock is before the start of its validity. The
   * same as `generation.warnings`.
   */
  readonly warnings: readonly Problem[]
  /** The state of the source; `null` with files. */
  readonly source: SourceStatus | null
  /** The state of hosts on demand; `null` without the option `hosts.onDemand`. */
  readonly onDemand: OnDemandStatus | null
  readonly autoReloadInterval: number
  /** Milliseconds until the next check; `null` when none is planned. */
  readonly nextCheckInMs: number | null
  /** Attached servers that are not closed. */
  readonly servers: number
  /** Live connections of attached servers, by the number of the generation that accepted them. */
  readonly connections: Readonly<Record<number, number>>
  /** Includes members of the fleet, by their last reports. */
  readonly refusedPeers: RefusedPeers
  /**
   * Members of the fleet, including evicted ones. `connections` includes theirs; those of an evicted member are never counted
   * for the current generation.
   */
  readonly members: readonly MemberStatus[]
}

/** A running engine. Only a pass with outcome `applied` changes what it serves. */
export interface ReloadEngine extends ServingEngine {
  /**
   * Loads the files now, in the same way as the timer. Resolves when the new certificate is in service, or with the reason why
   * it is not.
   * @throws ReloadError `ABORTED` or `CLOSED`; a problem with the files is a `rejected` result.
   */
  reload(options?: ReloadOptions): Promise<ReloadResult>
  /**
   * Changes paths, policy, TLS options, peer policy or the interval: all given changes, or none. New material is loaded as in
   * a reload; if it is refused, the previous options and certificates stay in force. A change of only the interval loads
   * nothing, and succeeds even if the files on disk are invalid.
   * @throws ReloadError `OPTIONS_INVALID` (also if the change would leave a server that requests client certificates without
   * anchors), `RUNTIME_UNSUPPORTED` or `CLOSED`; a problem with the files is a `rejected` result.
   */
  update(changes: EngineChanges): Promise<ReloadResult>
  /**
   * Serves the certificates, hosts and options of an earlier generation again. Trust is not rolled back unless
   * `trust: true` requests it: the CAs, revocation lists and client-certificate policy in force stay in force, and
   * `result.restored.trust` states which. The timer does not load the certificates that were rolled back until their files
   * change; trust files are loaded as soon as they change; `reload()` loads everything. A number is the same as
   * `{ generation }`.
   * @throws ReloadError `GENERATION_UNKNOWN`, `OPTIONS_INVALID` (also if restored trust would leave a server that requests
   * client certificates without anchors) or `CLOSED`.
   */
  rollback(options?: number | RollbackOptions): Promise<ReloadResult>
  /** The served generation and the earlier ones that `rollback()` can restore, newest first. */
  history(): readonly Generation[]
  status(): EngineStatus
  /** Seconds between checks, 0 to 2147483647; `0` is off. Setting it loads nothing. @throws ReloadError `OPTIONS_INVALID` */
  autoReloadInterval: number
  on<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  once<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  off<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  /** Stops the checks and releases the worker thread. Attached servers keep their certificates in service. Idempotent. */
  close(): Promise<void>
}

/** Options of {@link ReloadEngine.rollback}. */
export interface RollbackOptions {
  /**
   * Number of the generation to serve again.
   * @defaultValue the generation before the served one
   */
  readonly generation?: number
  /**
   * Also restores the trust of that generation: trust anchors, revocation lists, `peers`, `requestCert`, `rejectUnauthorized`,
   * `tls.allowPartialTrustChain`, the ticket secret, and the paths of `ca`, `caDir` and `crl`. Otherwise the trust in force
   * is kept, so that a rollback never accepts a revoked certificate or a removed CA again.
   * @defaultValue `false`
   */
  readonly trust?: boolean
}
