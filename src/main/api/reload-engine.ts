import type https from 'node:https'
import type { Socket } from 'node:net'
import type tls from 'node:tls'

import type { Problem } from '../../workers/protocol/problem.js'
import type { Generation } from './generation.js'
import type { EvictedMember, MemberStatus } from './members.js'
import type { EngineChanges } from './options.js'
import type { NamedFacts, ReloadResult } from './result.js'
import type { ServerExtra } from './server-extra.js'
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
  /** What is recorded as the cause. @defaultValue `'reload'` */
  readonly trigger?: 'reload' | 'signal' | 'control'
}

/** Events of an engine, with what their listeners get. */
export interface ReloadEvents {
  /** Every pass, however it ended, but for `checked`. */
  settled: [ReloadResult]
  /**
   * A check by the timer that found nothing new. Without a listener, such checks are only counted in `status()`, which costs
   * the main thread about a tenth as much.
   */
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
export interface ReloadEngine extends AsyncDisposable {
  /**
   * Options to make a server with: the material of now, and `requestCert` and `rejectUnauthorized` of the engine.
   * `extra` adds what is the server's own (`ALPNProtocols`, `allowHTTP1`, other peer policies); material and TLS
   * options in it are refused, because the engine's own must be the same in every generation.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID` (also for `requestCert` on an engine without `ca` or `caDir`), or the
   * code of what is wrong with the trust in force, when it cannot be used to verify client certificates.
   */
  serverOptions<T extends ServerExtra>(extra?: T): tls.TlsOptions & T
  /**
   * Points the server at what is served now and at every generation to come; open connections are left alone. Takes
   * servers of `node:tls`, `node:https` and `node:http2`; SNI hosts need one that was made from `serverOptions()`.
   * A server that requests client certificates needs `ca` or `caDir` on the engine. If the trust cannot serve it, nothing
   * is changed. A server that was closed and listens again cannot be refused: without usable trust it refuses its clients
   * and an error is logged.
   * @returns a function that lets the server go on with the default certificate that it has.
   * @throws ReloadError `CLOSED`, `OPTIONS_INVALID`, `RUNTIME_UNSUPPORTED` for a server whose certificate this runtime
   * cannot change, or the code of what is wrong with the trust in force.
   */
  attach(server: tls.Server): Detach
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
  /**
   * The certificate that a client is shown that asks for this server name; `null` when it is refused
   * (`unknownHosts: 'refuse'`).
   */
  servingFor(servername: string): NamedFacts | null
  /** What is served, and the earlier generations that `rollback()` can go back to, the newest first. */
  history(): readonly Generation[]
  /** The generation that a connection (raw or TLS) was accepted under, if an attached server accepted it over TCP. */
  generationOf(socket: Socket): number | undefined
  /**
   * Those of the connections that the trust in force would not accept any more: the CA of their client's certificate was
   * removed, or the certificate was revoked. A worker decides by the certificates of each connection's handshake. A
   * connection whose certificates cannot be judged is one of them; a connection without a client certificate is not, and a
   * certificate that has expired since then makes no difference. When the worker fails it is tried again for up to 15
   * seconds; connections that it has not judged by then are in the result.
   * @throws ReloadError `CLOSED`
   */
  distrusted(connections: Iterable<tls.TLSSocket>): Promise<Set<tls.TLSSocket>>
  /**
   * The certificate and trust of now for an outgoing connection: `tls.connect({ secureContext: engine.secureContext() })`.
   * Call it for each connection. Without `ca` or `caDir` the public roots are trusted, as in any client: never give it to
   * a server (`addContext`, `SNICallback`).
   * @throws ReloadError `CLOSED`
   */
  secureContext(): tls.SecureContext
  /**
   * An `https.Agent` whose connections follow the generations: new ones use the new client certificate and CAs, idle ones
   * of an earlier generation are closed, and no session is resumed from one to the next. Destroyed with the engine.
   * @throws ReloadError `CLOSED`
   */
  agent(options?: https.AgentOptions): https.Agent
  status(): EngineStatus
  /** Seconds between checks, `0` is off. Setting it loads nothing. @throws ReloadError `OPTIONS_INVALID` */
  autoReloadInterval: number
  on<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  once<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  off<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  /** Stops checking and gives the worker thread back; attached servers serve on. May be called at any time, twice too. */
  close(): Promise<void>
}

/** Undoes an `attach`: the server goes on with the certificate that it has. */
export type Detach = () => void

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
