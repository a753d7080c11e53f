import type tls from 'node:tls'

import type { Generation } from '../api/generation.js'
import type { EvictedMember } from '../api/members.js'
import type { EngineChanges, ReloadEngineOptions } from '../api/options.js'
import type {
  EngineStatus,
  ReloadEngine,
  ReloadEvents,
  ReloadOptions,
  RollbackOptions,
} from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { ServerExtra } from '../api/server-extra.js'
import { BaseEngine } from '../attach/base-engine.js'
import { withAbsolutePaths } from '../base/absolute-paths.js'
import { type Clock, systemClock } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { EventHub } from '../base/event-hub.js'
import { type Logger, resolveLogger } from '../base/logger.js'
import { reloadAbortion, untilAborted } from '../base/until-aborted.js'
import type { Feed } from '../feed/feed.js'
import type { OnDemand } from '../feed/open-on-demand.js'
import { currentGeneration } from '../generation/generation.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { liveCounts } from '../reload/live-counts.js'
import { isAutomatic, type PassMode } from '../reload/pass.js'
import type { PassReport } from '../reload/pass-report.js'
import { Reloader } from '../reload/reloader.js'
import { resolveRollback } from '../reload/rollback.js'
import { assertOptionsSupported, reportRuntime } from '../runtime/runtime-support.js'
import { openWorker, type Worker } from '../threads/pool.js'
import { loadThreadCode } from '../threads/thread-code.js'
import { changedOptions } from './changed-options.js'
import { AutomaticChecks } from './checks.js'
import { withCurrentWarnings, withDated } from './current-warnings.js'
import { feedOf } from './feed-of.js'
import { setInternals } from './internals.js'
import { Journal } from './journal.js'
import { LifeWatch } from './life-watch.js'
import { onDemandOf } from './on-demand-of.js'
import { createPassQueue } from './pass-queue.js'
import { assertInterval, resolveOptions } from './resolve-options.js'
import { Settlement } from './settlement.js'

/**
 * Loads and validates the material once, off the main thread, and returns an engine that keeps it current.
 *
 * @example
 * const engine = await createReloadEngine({ cert: '/etc/tls/tls.crt', key: '/etc/tls/tls.key', autoReloadInterval: 30 })
 * const server = https.createServer(engine.serverOptions(), app)
 * engine.attach(server)
 * server.listen(8443)
 *
 * @throws ReloadError `OPTIONS_INVALID`; `RUNTIME_UNSUPPORTED` for an option that has no effect on this runtime;
 * `LOGGER_UNAVAILABLE`; `WORKER_UNAVAILABLE`; or the code of the first problem if the first load fails.
 */
export async function createReloadEngine(options: ReloadEngineOptions): Promise<ReloadEngine> {
  return await startEngine(options)
}

/** Parts that tests replace. */
export interface EngineParts {
  readonly clock?: Clock
  readonly workerTasks?: URL
}

/** @internal */
export async function startEngine(
  input: ReloadEngineOptions,
  parts: EngineParts = {},
): Promise<ReloadEngine> {
  const absolute = withAbsolutePaths(input)
  const options = resolveOptions(absolute)
  const clock = parts.clock ?? systemClock
  const logger = await resolveLogger(options.logger)
  await reportRuntime(logger)
  assertOptionsSupported(options)
  await loadThreadCode()
  const worker = openWorker(options.worker, clock, parts.workerTasks)
  const feed = await feedOf(options, clock, logger)
  const reloader = new Reloader(options, worker, clock, feed)
  try {
    const first = await reloader.loadFirst(options)
    const { serving } = reloader
    const onDemand = await onDemandOf(absolute, options, { serving, worker, feed, clock, logger })
    return new Engine(absolute, { reloader, worker, feed, onDemand, clock, logger }, first)
  } catch (error) {
    reloader.close()
    await Promise.all([worker.close(), feed?.close()])
    throw error
  }
}

interface OpenParts {
  readonly reloader: Reloader
  readonly worker: Worker
  /** `null` with files. */
  readonly feed: Feed | null
  /** `null` without hosts on demand. */
  readonly onDemand: OnDemand | null
  readonly clock: Clock
  readonly logger: Logger
}

class Engine extends BaseEngine implements ReloadEngine {
  /** The user's options with absolute paths, including applied updates. */
  #input: ReloadEngineOptions
  readonly #reloader: Reloader
  readonly #worker: Worker
  readonly #feed: Feed | null
  readonly #onDemand: OnDemand | null
  readonly #logger: Logger
  readonly #journal: Journal
  readonly #passQueue = createPassQueue()
  readonly #events: EventHub<ReloadEvents>
  readonly #life: LifeWatch
  readonly #checks: AutomaticChecks
  readonly #settlement: Settlement
  #optionsGiven = false

  constructor(
    input: ReloadEngineOptions,
    { reloader, worker, feed, onDemand, clock, logger }: OpenParts,
    first: PassReport,
  ) {
    super({
      clock,
      logger,
      serving: () => reloader.serving,
      worker: () => worker,
      end: () => this.#end(),
    })
    const { options } = reloader.served
    this.#input = input
    this.#reloader = reloader
    this.#worker = worker
    this.#feed = feed
    this.#onDemand = onDemand
    this.#logger = logger
    this.#events = new EventHub(logger)
    const evicted = (member: EvictedMember) => this.#events.emit('evicted', member)
    setInternals(this, { reloader, clock, logger, onDemand, evicted })
    this.#life = new LifeWatch(reloader.served, {
      ...{ clock, logger },
      notify: (notice) => this.#settlement.expiring(notice),
    })
    this.#journal = new Journal(clock, logger)
    this.#checks = new AutomaticChecks(options.autoReloadInterval, {
      ...{ clock, worker, journal: this.#journal, life: this.#life },
      sourceDelayMs: () => feed?.retryDelayMs ?? null,
      // Rejects only with `CLOSED`, which needs no handling.
      pass: () => this.#run({ trigger: 'timer', force: false, dryRun: false }).catch(() => {}),
    })
    this.#settlement = new Settlement({
      ...{ engine: this, journal: this.#journal, checks: this.#checks },
      ...{ life: this.#life, events: this.#events, logger },
      served: () => reloader.served,
    })
    this.#settlement.begin(first)
    feed?.onPush(() => {
      this.#run({ trigger: 'source', force: false, dryRun: false }).catch(() => {})
    })
  }

  override serverOptions<T extends ServerExtra>(extra: T = {} as T): tls.TlsOptions & T {
    const options = super.serverOptions(extra)
    this.#optionsGiven = true
    return options
  }

  reload(options: ReloadOptions = {}): Promise<ReloadResult> {
    const { force = false, dryRun = false, trigger = 'api', signal } = options
    if (signal?.aborted) return Promise.reject(reloadAbortion(signal.reason))
    const pass = this.#run({ trigger, force, dryRun })
    return signal ? untilAborted(pass, signal) : pass
  }

  async update(given: EngineChanges): Promise<ReloadResult> {
    this.assertOpen()
    // Now, because the working directory may have changed when the pass begins.
    const changes = withAbsolutePaths(given)
    const { autoReloadInterval: _, ...material } = changes
    const { input, options } = this.#changed(changes)
    if (Object.keys(material).length === 0) {
      this.#adopt(input, options)
      return withDated(this.#reloader.untouched('update'), this.#life.warnings)
    }
    return await this.#passQueue.run(Symbol('update'), async () => {
      // Again, because an earlier update in the queue may have been applied.
      const { input, options } = this.#changed(changes)
      const mode: PassMode = { trigger: 'update', force: false, dryRun: false, options }
      const result = this.#settle(await this.#reloader.pass(mode))
      if (result.outcome === 'applied') this.#adopt(input, options)
      return result
    })
  }

  async rollback(options?: number | RollbackOptions): Promise<ReloadResult> {
    this.assertOpen()
    const result = this.#settle(await this.#reloader.rollback(resolveRollback(options)))
    if (result.outcome === 'applied') this.#feed?.rolledBack(result)
    return result
  }

  history(): readonly Generation[] {
    const { snapshots } = this.#reloader.history
    return [this.status().generation, ...snapshots.map(({ generation }) => generation)]
  }

  status(): EngineStatus {
    const { trouble } = this.#journal
    const members = this.#reloader.fleet.members()
    const state = trouble ? (trouble.kind === 'waiting' ? 'waiting-for-pair' : 'failing') : 'serving'
    const generation = withCurrentWarnings(currentGeneration(this.#reloader.served), this.#life.warnings)
    return deepFreeze({
      state: this.closed ? 'closed' : state,
      generation,
      ends: this.#life.ends,
      warnings: generation.warnings,
      source: this.#feed?.status(generation.number) ?? null,
      onDemand: this.#onDemand?.status() ?? null,
      autoReloadInterval: this.autoReloadInterval,
      nextCheckInMs: this.#checks.dueInMs(),
      servers: this.#reloader.serving.servers.size,
      ...liveCounts(this.#reloader.serving, this.#reloader.fleet, members),
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

  async #end(): Promise<void> {
    this.#checks.stop()
    this.#life.stop()
    this.#reloader.close()
    const feeds = [this.#onDemand?.close(), this.#feed?.close()]
    await Promise.all([...feeds, this.#worker.close(), this.#passQueue.close()])
    this.#events.clear()
  }

  /** @throws ReloadError `OPTIONS_INVALID` or `RUNTIME_UNSUPPORTED` */
  #changed(changes: EngineChanges): ReturnType<typeof changedOptions> {
    const before = { ...this.#input, autoReloadInterval: this.autoReloadInterval }
    return changedOptions(before, changes, this.#reloader)
  }

  #adopt(input: ReloadEngineOptions, { autoReloadInterval }: ResolvedOptions): void {
    this.#input = input
    this.autoReloadInterval = autoReloadInterval
  }

  #run(mode: PassMode): Promise<ReloadResult> {
    const what = isAutomatic(mode) ? 'check' : mode.dryRun ? 'dry run' : 'reload'
    return this.#passQueue.run(`${mode.force ? 'forced ' : ''}${what}`, async () => {
      const report = await this.#reloader.pass(mode)
      return mode.dryRun ? this.#settlement.settleDryRun(report) : this.#settle(report)
    })
  }

  #settle(report: PassReport): ReloadResult {
    const result = this.#settlement.settle(report)
    if (result.outcome === 'applied') {
      this.retireIdleConnections()
      this.#warnOfForgottenAttach()
    }
    return result
  }

  #warnOfForgottenAttach(): void {
    if (!this.#optionsGiven || this.#reloader.serving.servers.size > 0) return
    this.#optionsGiven = false
    const message =
      'serverOptions() was used, but no server is attached: call engine.attach(server), or the server keeps its first certificate'
    this.#logger.warn({ generation: this.#reloader.served.generation.number }, message)
  }
}
