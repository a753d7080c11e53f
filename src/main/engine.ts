import type { Socket } from 'node:net'
import type tls from 'node:tls'

import type { Detach } from './attach/server-book.js'
import { type Clock, systemClock } from './clock.js'
import { ReloadError } from './errors.js'
import type { Generation } from './generation/generation.js'
import { createLane } from './lane.js'
import { EventHub } from './observe/event-hub.js'
import { type ExpiryNotice, ExpiryWatch } from './observe/expiry-watch.js'
import { Journal, type JournalStatus, type Recovery } from './observe/journal.js'
import { type Logger, resolveLogger } from './observe/logger.js'
import {
  assertInterval,
  type EngineChanges,
  mergeChanges,
  type ReloadEngineOptions,
  resolveOptions,
} from './options.js'
import { openPreparer, type Preparer } from './pool.js'
import { type PassMode, type PassReport, Reloader } from './reloader.js'
import { type ReloadResult, servingOf } from './result.js'
import { nextDelayMs } from './schedule.js'
import { assertExtra, type ServerExtra } from './server-options.js'
import { createTick } from './tick.js'

/** What one call of {@link ReloadEngine.reload} may ask for. */
export interface ReloadOptions {
  /** Let the set past what `policy` rejects; never past what cannot serve. */
  readonly force?: boolean
  /** Prepare and validate only: nothing is swapped, and the outcome is `validated` where it would be `applied`. */
  readonly dryRun?: boolean
  /** Stops waiting, with `ABORTED`; the pass goes on for whoever else waits for it. */
  readonly signal?: AbortSignal
  /** What is recorded as the cause. @defaultValue `'reload'` */
  readonly trigger?: 'reload' | 'signal' | 'control'
}

/** Events of an engine, with what their listeners get. */
export interface ReloadEvents {
  /** Every pass, however it ended. */
  settled: [ReloadResult]
  applied: [ReloadResult]
  rejected: [ReloadResult]
  waiting: [ReloadResult]
  /** A set that could not be served can be served again. */
  recovered: [Recovery]
  /** The served certificate has passed a threshold of `expiryWarningDays`, or its end. */
  expiring: [ExpiryNotice]
}

/** Frozen, plain data; no secret in it. */
export interface EngineStatus extends JournalStatus {
  readonly state: 'serving' | 'waiting-for-pair' | 'failing' | 'closed'
  readonly generation: Generation
  readonly autoReloadInterval: number
  /** Milliseconds until the next check; `null` when none is planned. */
  readonly nextCheckInMs: number | null
  /** Attached servers that are not closed. */
  readonly servers: number
  /** Live connections of attached servers by the number of the generation that they were accepted under. */
  readonly connections: Readonly<Record<number, number>>
}

/** A running engine. Nothing that it serves changes but by a pass that ended with `applied`. */
export interface ReloadEngine extends AsyncDisposable {
  /**
   * Options to make a server with: the material of now, and `requestCert` and `rejectUnauthorized` of the engine.
   * `extra` adds what is the server's own (`ALPNProtocols`, `allowHTTP1`, other peer policies); material and TLS
   * options in it are refused, because the engine's own must be the same in every generation.
   * @throws ReloadError `OPTIONS_INVALID` or `CLOSED`.
   */
  serverOptions<T extends ServerExtra>(extra?: T): tls.TlsOptions & T
  /**
   * Points the server at what is served now and at every generation to come; open connections are left alone. Takes
   * servers of `node:tls`, `node:https` and `node:http2`.
   * @returns a function that lets the server go on with what it has.
   * @throws ReloadError `OPTIONS_INVALID` or `CLOSED`.
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
   * @throws ReloadError `OPTIONS_INVALID` or `CLOSED`; trouble with files is a `rejected` result.
   */
  update(changes: EngineChanges): Promise<ReloadResult>
  /**
   * Serves an earlier generation again (the one before, unless a number is given), with the options of then. The timer
   * leaves the files alone until they change; `reload()` loads them.
   * @throws ReloadError `GENERATION_UNKNOWN` or `CLOSED`.
   */
  rollback(generation?: number): Promise<ReloadResult>
  /** What is served, and the earlier generations that `rollback()` can go back to, the newest first. */
  history(): readonly Generation[]
  /** The generation that a connection (raw or TLS) was accepted under, if an attached server accepted it over TCP. */
  generationOf(socket: Socket): number | undefined
  status(): EngineStatus
  /** Seconds between checks, `0` is off. Setting it loads nothing. @throws ReloadError `OPTIONS_INVALID` */
  autoReloadInterval: number
  on<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  once<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  off<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this
  /** Stops checking and gives the worker thread back; attached servers serve on. May be called at any time, twice too. */
  close(): Promise<void>
}

/**
 * Loads and validates the material once, off the main thread, and returns an engine that keeps it current.
 *
 * @example
 * const engine = await createReloadEngine({ cert: '/etc/tls/tls.crt', key: '/etc/tls/tls.key', autoReloadInterval: 30 })
 * const server = https.createServer(engine.serverOptions(), app)
 * engine.attach(server)
 * server.listen(8443)
 *
 * @throws ReloadError `OPTIONS_INVALID`, or the code of the first problem when the first load fails.
 */
export async function createReloadEngine(options: ReloadEngineOptions): Promise<ReloadEngine> {
  return await startEngine(options)
}

/** What a test replaces. */
export interface EngineParts {
  readonly clock?: Clock
  readonly workerEntry?: URL
}

/** @internal */
export async function startEngine(
  input: ReloadEngineOptions,
  parts: EngineParts = {},
): Promise<ReloadEngine> {
  const options = resolveOptions(input)
  const clock = parts.clock ?? systemClock
  const logger = await resolveLogger(options.logger)
  const preparer = openPreparer(options.worker, clock, parts.workerEntry)
  try {
    const reloader = new Reloader(options, preparer, clock)
    const first = await reloader.loadFirst(options)
    return new Engine(input, reloader, preparer, clock, logger, first)
  } catch (error) {
    await preparer.close()
    throw error
  }
}

class Engine implements ReloadEngine {
  /** As they were given, with what updates have changed. */
  #input: ReloadEngineOptions
  readonly #reloader: Reloader
  readonly #preparer: Preparer
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #journal: Journal
  readonly #lane = createLane()
  readonly #tick
  readonly #events: EventHub<ReloadEvents>
  readonly #expiry: ExpiryWatch
  #intervalSeconds: number
  #optionsGiven = false
  #closing: Promise<void> | null = null

  constructor(
    input: ReloadEngineOptions,
    reloader: Reloader,
    preparer: Preparer,
    clock: Clock,
    logger: Logger,
    first: ReloadResult,
  ) {
    const { options } = reloader.served
    this.#input = input
    this.#reloader = reloader
    this.#preparer = preparer
    this.#clock = clock
    this.#logger = logger
    this.#events = new EventHub(logger)
    this.#expiry = new ExpiryWatch(options.expiryWarningDays, clock, logger, (notice) => {
      this.#events.emit('expiring', notice)
    })
    this.#intervalSeconds = options.autoReloadInterval
    this.#journal = new Journal(clock, logger, options.policy.pairGraceSeconds)
    this.#journal.settle({ result: first, pairMismatch: false, state: '' })
    this.#tick = createTick({ clock, delayMs: () => this.#delayMs(), check: () => this.#check() })
    this.#watchLife()
    this.#tick.plan()
  }

  serverOptions<T extends ServerExtra>(extra: T = {} as T): tls.TlsOptions & T {
    this.#assertOpen()
    assertExtra(extra)
    this.#optionsGiven = true
    const peers = { ...this.#reloader.served.options.peers, ...definedPeers(extra) }
    this.#assertTrust(peers.requestCert)
    return { ...this.#reloader.optionsFor(peers), ...extra, ...peers }
  }

  attach(server: tls.Server): Detach {
    this.#assertOpen()
    return this.#reloader.attach(server)
  }

  reload(options: ReloadOptions = {}): Promise<ReloadResult> {
    const { force = false, dryRun = false, trigger = 'reload', signal } = options
    const pass = this.#run({ trigger, force, dryRun })
    return signal ? untilAborted(pass, signal) : pass
  }

  async update(changes: EngineChanges): Promise<ReloadResult> {
    const { autoReloadInterval, ...material } = changes
    const input = mergeChanges(this.#input, changes)
    const options = resolveOptions(input)
    if (Object.keys(material).length === 0) {
      if (autoReloadInterval !== undefined) this.autoReloadInterval = autoReloadInterval
      return this.#reloader.untouched('update')
    }
    const mode: PassMode = { trigger: 'update', force: false, dryRun: false, options }
    const result = await this.#lane.run(Symbol('update'), async () =>
      this.#settle(await this.#reloader.pass(mode)),
    )
    if (result.outcome === 'applied') {
      this.#input = input
      this.autoReloadInterval = options.autoReloadInterval
    }
    return result
  }

  async rollback(generation?: number): Promise<ReloadResult> {
    this.#assertOpen()
    return this.#settle(await this.#reloader.rollback(generation))
  }

  history(): readonly Generation[] {
    const { served, history } = this.#reloader
    return [served, ...history.snapshots].map(({ generation }) => generation)
  }

  generationOf(socket: Socket): number | undefined {
    return this.#reloader.ledger.generationOf(socket)
  }

  status(): EngineStatus {
    const { trouble } = this.#journal
    const state = trouble ? (trouble.kind === 'waiting' ? 'waiting-for-pair' : 'failing') : 'serving'
    return Object.freeze({
      state: this.#closing === null ? state : 'closed',
      generation: this.#reloader.served.generation,
      autoReloadInterval: this.#intervalSeconds,
      nextCheckInMs: this.#tick.dueInMs(),
      servers: this.#reloader.servers.size,
      connections: this.#reloader.ledger.counts(),
      ...this.#journal.status(),
    })
  }

  get autoReloadInterval(): number {
    return this.#intervalSeconds
  }

  set autoReloadInterval(seconds: number) {
    assertInterval(seconds)
    this.#intervalSeconds = seconds
    this.#tick.plan()
  }

  on<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this {
    this.#events.on(event, listener)
    return this
  }

  once<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this {
    this.#events.once(event, listener)
    return this
  }

  off<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this {
    this.#events.off(event, listener)
    return this
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#tick.stop()
    this.#expiry.stop()
    this.#reloader.close()
    await Promise.all([this.#preparer.close(), this.#lane.close()])
    this.#events.clear()
  }

  #check(): Promise<unknown> {
    // Only `CLOSED` rejects, and then nobody is left to be told.
    return this.#run({ trigger: 'tick', force: false, dryRun: false }).catch(() => {})
  }

  #run(mode: PassMode): Promise<ReloadResult> {
    const kind = `${mode.force ? 'forced ' : ''}${mode.dryRun ? 'dry run' : 'reload'}`
    return this.#lane.run(kind, async () => this.#settle(await this.#reloader.pass(mode)))
  }

  #settle(report: PassReport): ReloadResult {
    const waits = report.pairMismatch && report.result.trigger !== 'update' && this.#journal.mayWait()
    const result = waits
      ? Object.freeze({ ...report.result, outcome: 'waiting-for-pair' as const })
      : report.result
    const recovery = this.#journal.settle({ ...report, result })
    this.#tick.plan()
    this.#events.emit('settled', result)
    if (result.outcome === 'applied') this.#events.emit('applied', result)
    if (result.outcome === 'rejected') this.#events.emit('rejected', result)
    if (result.outcome === 'waiting-for-pair') this.#events.emit('waiting', result)
    if (recovery) this.#events.emit('recovered', recovery)
    if (result.outcome === 'applied') {
      this.#watchLife()
      this.#warnOfForgottenAttach()
    }
    return result
  }

  #warnOfForgottenAttach(): void {
    if (!this.#optionsGiven || this.#reloader.servers.size > 0) return
    this.#optionsGiven = false
    const message =
      'serverOptions() was used, but no server is attached: call engine.attach(server), or it keeps its first certificate'
    this.#logger.warn({ generation: this.#reloader.served.generation.number }, message)
  }

  #watchLife(): void {
    this.#expiry.watch(this.#reloader.served.generation)
    const leftMs = this.#lifeLeftMs()
    if (this.#intervalSeconds === 0 || this.#intervalSeconds * 1000 < leftMs) return
    const fields = { autoReloadInterval: this.#intervalSeconds, leftSeconds: Math.round(leftMs / 1000) }
    this.#logger.warn(
      fields,
      'the reload interval is longer than the certificate has to live; checking more often',
    )
  }

  #delayMs(): number | null {
    const intervalMs = this.#intervalSeconds * 1000
    return nextDelayMs({ intervalMs, trouble: this.#journal.trouble, lifeLeftMs: this.#lifeLeftMs() })
  }

  #lifeLeftMs(): number {
    return Date.parse(servingOf(this.#reloader.served.generation).notAfter) - this.#clock.wallMs()
  }

  #assertTrust(requestCert: boolean): void {
    if (!requestCert || this.#reloader.served.material.trust.authorities) return
    const { ca, caDir } = this.#reloader.served.options.sources
    if (ca.length + caDir.length > 0) return
    const message =
      'serverOptions: `requestCert` needs `ca` or `caDir` on the engine: the public roots are never silently trusted'
    throw new ReloadError('OPTIONS_INVALID', message)
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new ReloadError('CLOSED', 'the reload engine is closed')
  }
}

function definedPeers({
  requestCert,
  rejectUnauthorized,
}: ServerExtra): Partial<{ requestCert: boolean; rejectUnauthorized: boolean }> {
  return {
    ...(requestCert === undefined ? {} : { requestCert }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  }
}

function untilAborted<T>(pass: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () =>
      reject(
        new ReloadError('ABORTED', 'the caller stopped waiting for the reload', { cause: signal.reason }),
      )
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    pass.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
