import type https from 'node:https'
import type { Socket } from 'node:net'
import type tls from 'node:tls'

import { RenewingAgent } from './attach/renewing-agent.js'
import { reportUnservable } from './attach/servable-trust.js'
import type { Detach } from './attach/server-book.js'
import { AutomaticChecks } from './automatic-checks.js'
import { type Clock, systemClock } from './clock.js'
import { deepFreeze } from './deep-freeze.js'
import { ReloadError } from './errors.js'
import type { Generation } from './generation/generation.js'
import { createLane } from './lane.js'
import { publishPass } from './observe/channels.js'
import { EventHub } from './observe/event-hub.js'
import { Journal } from './observe/journal.js'
import { LifeWatch } from './observe/life-watch.js'
import { type Logger, resolveLogger } from './observe/logger.js'
import type { EngineChanges, ReloadEngineOptions } from './options.js'
import type { PassReport } from './pass-report.js'
import { openPreparer, type Preparer } from './pool.js'
import type { EngineStatus, ReloadEngine, ReloadEvents, ReloadOptions } from './reload-engine.js'
import { type PassMode, Reloader } from './reloader.js'
import { assertInterval, mergeChanges, type ResolvedOptions, resolveOptions } from './resolve-options.js'
import type { NamedFacts, ReloadResult } from './result.js'
import { type RollbackOptions, resolveRollback } from './rollback.js'
import type { ServerExtra } from './server-options.js'
import { servingFor } from './serving.js'
import { reloadAbortion, untilAborted } from './until-aborted.js'

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
  readonly workerTasks?: URL
}

/** @internal */
export async function startEngine(
  input: ReloadEngineOptions,
  parts: EngineParts = {},
): Promise<ReloadEngine> {
  const options = resolveOptions(input)
  const clock = parts.clock ?? systemClock
  const logger = await resolveLogger(options.logger)
  const preparer = openPreparer(options.worker, clock, parts.workerTasks)
  const reloader = new Reloader(options, preparer, clock)
  try {
    const first = await reloader.loadFirst(options)
    return new Engine(input, reloader, preparer, clock, logger, first)
  } catch (error) {
    reloader.close()
    await preparer.close()
    throw error
  }
}

/** What a fleet needs of an engine beyond what it shows. */
export interface EngineInternals {
  readonly reloader: Reloader
  readonly clock: Clock
  readonly logger: Logger
}

const internals = new WeakMap<ReloadEngine, EngineInternals>()

/** @internal */
export function internalsOf(engine: ReloadEngine): EngineInternals | undefined {
  return internals.get(engine)
}

class Engine implements ReloadEngine {
  /** As they were given, with what updates have changed. */
  #input: ReloadEngineOptions
  readonly #reloader: Reloader
  readonly #preparer: Preparer
  readonly #logger: Logger
  readonly #journal: Journal
  readonly #lane = createLane()
  readonly #events: EventHub<ReloadEvents>
  readonly #life: LifeWatch
  readonly #checks: AutomaticChecks
  readonly #agents = new Set<RenewingAgent>()
  #optionsGiven = false
  #closing: Promise<void> | null = null

  constructor(
    input: ReloadEngineOptions,
    reloader: Reloader,
    preparer: Preparer,
    clock: Clock,
    logger: Logger,
    first: PassReport,
  ) {
    const { options } = reloader.served
    internals.set(this, { reloader, clock, logger })
    this.#input = input
    this.#reloader = reloader
    this.#preparer = preparer
    this.#logger = logger
    this.#events = new EventHub(logger)
    this.#life = new LifeWatch(options.expiryWarningDays, clock, logger, (notice) => {
      this.#events.emit('expiring', notice)
    })
    this.#journal = new Journal(clock, logger)
    this.#journal.settle(first, this.#mayWait(first))
    this.#checks = new AutomaticChecks(options.autoReloadInterval, {
      ...{ clock, preparer, journal: this.#journal, life: this.#life },
      served: () => reloader.served,
      isWatched: () => this.#events.isHeard('checked'),
      // Only `CLOSED` rejects, and then nobody is left to be told.
      pass: () => this.#run({ trigger: 'tick', force: false, dryRun: false }).catch(() => {}),
    })
    this.#watchLife()
    this.#checks.plan()
  }

  serverOptions<T extends ServerExtra>(extra: T = {} as T): tls.TlsOptions & T {
    this.#assertOpen()
    const options = this.#reloader.serving.serverOptions(extra)
    this.#optionsGiven = true
    return options
  }

  attach(server: tls.Server): Detach {
    this.#assertOpen()
    const detach = this.#reloader.serving.attach(server, (error) => reportUnservable(this.#logger, error))
    if (this.#reloader.served.options.hosts && this.#reloader.serving.servesHosts(server) === false) {
      this.#logger.warn(
        { hosts: this.#reloader.served.hosts.byId.size },
        'the server was not made from serverOptions(): it shows the default certificate for every server name',
      )
    }
    return detach
  }

  reload(options: ReloadOptions = {}): Promise<ReloadResult> {
    const { force = false, dryRun = false, trigger = 'reload', signal } = options
    if (signal?.aborted) return Promise.reject(reloadAbortion(signal.reason))
    const pass = this.#run({ trigger, force, dryRun })
    return signal ? untilAborted(pass, signal) : pass
  }

  async update(changes: EngineChanges): Promise<ReloadResult> {
    this.#assertOpen()
    const { autoReloadInterval: _, ...material } = changes
    const { input, options } = this.#changed(changes)
    this.#reloader.assertAnchorsConfigured(options)
    if (Object.keys(material).length === 0) {
      this.#hold(input, options)
      return this.#reloader.untouched('update')
    }
    return await this.#lane.run(Symbol('update'), async () => {
      // Anew: an update that was ahead of this one may have been applied.
      const { input, options } = this.#changed(changes)
      this.#reloader.assertAnchorsConfigured(options)
      const mode: PassMode = { trigger: 'update', force: false, dryRun: false, options }
      const result = this.#settle(await this.#reloader.pass(mode))
      if (result.outcome === 'applied') this.#hold(input, options)
      return result
    })
  }

  async rollback(options?: number | RollbackOptions): Promise<ReloadResult> {
    this.#assertOpen()
    return this.#settle(await this.#reloader.rollback(resolveRollback(options)))
  }

  servingFor(servername: string): NamedFacts | null {
    return servingFor(this.#reloader.served, servername)
  }

  history(): readonly Generation[] {
    const { served, history } = this.#reloader
    return [served, ...history.snapshots].map(({ generation }) => generation)
  }

  generationOf(socket: Socket): number | undefined {
    return this.#reloader.serving.ledger.generationOf(socket)
  }

  async distrusted(connections: Iterable<tls.TLSSocket>): Promise<Set<tls.TLSSocket>> {
    this.#assertOpen()
    return await this.#reloader.distrusted(connections, this.#logger)
  }

  secureContext(): tls.SecureContext {
    this.#assertOpen()
    return this.#reloader.serving.clientIdentity().secureContext
  }

  agent(options: https.AgentOptions = {}): https.Agent {
    this.#assertOpen()
    const agent = new RenewingAgent(options, () => this.#reloader.serving.clientIdentity())
    this.#agents.add(agent)
    return agent
  }

  status(): EngineStatus {
    this.#checks.noteQuiet()
    const { trouble } = this.#journal
    const members = this.#reloader.followers.members()
    const state = trouble ? (trouble.kind === 'waiting' ? 'waiting-for-pair' : 'failing') : 'serving'
    return deepFreeze({
      state: this.#closing === null ? state : 'closed',
      generation: this.#reloader.served.generation,
      autoReloadInterval: this.autoReloadInterval,
      nextCheckInMs: this.#checks.dueInMs(),
      servers: this.#reloader.serving.servers.size,
      connections: summed([
        this.#reloader.serving.ledger.counts(),
        ...members.map(({ connections }) => connections),
      ]),
      members,
      ...this.#journal.status(),
    })
  }

  get autoReloadInterval(): number {
    return this.#checks.intervalSeconds
  }

  set autoReloadInterval(seconds: number) {
    assertInterval(seconds)
    this.#checks.intervalSeconds = seconds
  }

  on<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this {
    this.#events.on(event, listener)
    if (event === 'checked') this.#checks.plan()
    return this
  }

  once<E extends keyof ReloadEvents>(event: E, listener: (...args: ReloadEvents[E]) => void): this {
    this.#events.once(event, listener)
    if (event === 'checked') this.#checks.plan()
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
    this.#checks.stop()
    this.#life.stop()
    for (const agent of this.#agents) agent.destroy()
    this.#reloader.close()
    await Promise.all([this.#preparer.close(), this.#lane.close()])
    this.#events.clear()
  }

  #changed(changes: EngineChanges): { input: ReloadEngineOptions; options: ResolvedOptions } {
    const input = mergeChanges({ ...this.#input, autoReloadInterval: this.autoReloadInterval }, changes)
    const options = resolveOptions(input)
    if ((options.hosts === null) !== (this.#reloader.served.options.hosts === null)) {
      const message =
        'update: `hosts` can change but neither come nor go, because servers are made with or without it; start with `hosts: {}`'
      throw new ReloadError('OPTIONS_INVALID', message)
    }
    return { input, options }
  }

  #hold(input: ReloadEngineOptions, { autoReloadInterval }: ResolvedOptions): void {
    this.#input = input
    this.autoReloadInterval = autoReloadInterval
  }

  #run(mode: PassMode): Promise<ReloadResult> {
    const kind = `${mode.force ? 'forced ' : ''}${mode.dryRun ? 'dry run' : 'reload'}`
    return this.#lane.run(kind, async () => {
      const report = await this.#reloader.pass(mode)
      return mode.dryRun ? this.#settleDryRun(report) : this.#settle(report)
    })
  }

  /** Counted and told, and that is all: no state, no log line and no later look comes of a dry run. */
  #settleDryRun({ result }: PassReport): ReloadResult {
    this.#journal.count(result)
    this.#events.emit('settled', result)
    return result
  }

  #settle(report: PassReport): ReloadResult {
    const waits = this.#mayWait(report)
    const result =
      waits && report.result.outcome === 'rejected'
        ? Object.freeze({ ...report.result, outcome: 'waiting-for-pair' as const })
        : report.result
    this.#checks.noteQuiet()
    const agreed = this.#journal.agrees
    const recovery = this.#journal.settle({ ...report, result }, waits)
    this.#checks.plan()
    const isNews = recovery !== null || this.#journal.agrees !== agreed
    if (result.trigger === 'tick' && result.outcome === 'unchanged' && !isNews) {
      this.#events.emit('checked', result)
      return result
    }
    this.#events.emit('settled', result)
    if (result.outcome === 'applied') this.#events.emit('applied', result)
    if (result.outcome === 'rejected') this.#events.emit('rejected', result)
    if (result.outcome === 'waiting-for-pair') this.#events.emit('waiting', result)
    if (recovery) this.#events.emit('recovered', recovery)
    publishPass(this, result, recovery)
    if (result.outcome === 'applied') {
      for (const agent of this.#agents) agent.retireIdle()
      this.#watchLife()
      this.#warnOfForgottenAttach()
    }
    return result
  }

  /** Half of a pair is no failure yet: the other half is most likely on its way. */
  #mayWait({ pairMismatch, result }: PassReport): boolean {
    const graceMs = this.#reloader.served.options.policy.pairGraceSeconds * 1000
    return pairMismatch && result.trigger !== 'update' && this.#journal.mismatchMs() < graceMs
  }

  #warnOfForgottenAttach(): void {
    if (!this.#optionsGiven || this.#reloader.serving.servers.size > 0) return
    this.#optionsGiven = false
    const message =
      'serverOptions() was used, but no server is attached: call engine.attach(server), or it keeps its first certificate'
    this.#logger.warn({ generation: this.#reloader.served.generation.number }, message)
  }

  #watchLife(): void {
    this.#life.watch(this.#reloader.served.generation)
    const { leftMs } = this.#life
    const { autoReloadInterval } = this
    if (autoReloadInterval === 0 || autoReloadInterval * 1000 < leftMs) return
    const fields = { autoReloadInterval, leftSeconds: Math.round(leftMs / 1000) }
    this.#logger.warn(
      fields,
      'the reload interval is longer than the certificate has to live; checking more often',
    )
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new ReloadError('CLOSED', 'the reload engine is closed')
  }
}

function summed(counts: readonly Readonly<Record<number, number>>[]): Record<number, number> {
  const sum: Record<number, number> = {}
  for (const [generation, count] of counts.flatMap(Object.entries<number>)) {
    sum[Number(generation)] = (sum[Number(generation)] ?? 0) + count
  }
  return sum
}
