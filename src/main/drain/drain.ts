import type { Socket } from 'node:net'

import { type Clock, systemClock } from '../base/clock.js'
import { EventHub } from '../base/event-hub.js'
import { deferredLogger } from '../base/logger.js'
import { noteLogger } from '../base/owner-logger.js'
import { ActiveDrain, type ActiveDrainMaker, type DrainResult } from './active-drain.js'
import type { Connection, ConnectionCounts, Departure } from './connections/connection.js'
import { Connections } from './connections/connections.js'
import type { DrainContext } from './connections/drain-context.js'
import type { ConnectionFacts } from './connections/facts.js'
import { assertSession, TrackedConnection, type TrackedSession } from './connections/tracked.js'
import { DrainError } from './errors.js'
import type { Drain, DrainEvents, DrainRun } from './handle.js'
import { HookCalls } from './hook-calls.js'
import {
  type DrainOptions,
  type DrainStartOptions,
  type ResolvedDrainOptions,
  resolveDrainOptions,
  resolveStart,
} from './options.js'
import { SelectiveDrains } from './selective-drains.js'
import type { DrainState } from './state.js'
import { securedAmong, TrustWatch } from './trust-watch.js'
import { warnOfUnusedHooks } from './unused-hooks.js'
import { waitFor } from './wait-for.js'
import { assertFree, WatchedServers } from './watched-servers.js'
import { WholeDrain } from './whole-drain.js'

/**
 * Watches the connections of some servers, so that they can be drained. Until the drain starts, it only counts them. It
 * installs no signal handler ({@link handleSignals} does).
 *
 * @example
 * const drain = createDrain({ servers: [server], lameDuckMs: 5_000, deadlineMs: 25_000 })
 * server.listen(8443)
 *
 * drain.start()
 * const { outcome, forced } = await drain.complete()
 *
 * @throws DrainError `OPTIONS_INVALID`, `SERVER_TAKEN`
 */
export function createDrain(options: DrainOptions): Drain {
  return openDrain(resolveDrainOptions(options))
}

/** Parts that tests replace. */
export interface DrainParts {
  readonly clock?: Clock
  readonly random?: () => number
}

/** @internal */
export function openDrain(options: ResolvedDrainOptions, parts: DrainParts = {}): Drain {
  return new ServerDrain(options, parts.clock ?? systemClock, parts.random ?? Math.random)
}

class ServerDrain implements Drain {
  readonly #options: ResolvedDrainOptions
  readonly #context: DrainContext
  readonly #random: () => number
  readonly #events: EventHub<DrainEvents>
  readonly #trustWatch: TrustWatch | null
  readonly #servers: WatchedServers
  readonly #whole: WholeDrain
  readonly #selective: SelectiveDrains
  readonly #makeActiveDrain: ActiveDrainMaker = ({ uri, reason, deadlineMs, spreadMs, where }, callbacks) => {
    const { connections, clock, logger, incompleteMs } = this.#context
    return new ActiveDrain({
      connections,
      clock,
      logger,
      random: this.#random,
      incompleteMs,
      uri,
      reason,
      deadlineMs,
      spreadMs,
      where,
      left: (connection, departure) => this.#reportClosed(connection, departure),
      ...callbacks,
    })
  }
  #closed = false

  constructor(options: ResolvedDrainOptions, clock: Clock, random: () => number) {
    assertFree(options.servers)
    const logger = deferredLogger(options.logger)
    noteLogger(this, logger)
    const { hooks, incompleteMs, closeTimeoutMs, pingTimeoutMs, generationOf } = options
    this.#options = options
    this.#random = random
    this.#events = new EventHub(logger, 'drain')
    this.#context = {
      connections: new Connections(),
      clock,
      logger,
      hooks: new HookCalls(hooks, logger),
      exchanges: new WeakMap(),
      incompleteMs,
      closeTimeoutMs,
      pingTimeoutMs,
      goawaySent: () => this.#events.emit('goaway'),
      factParts: generationOf ? { clock, generationOf } : { clock },
    }
    this.#selective = new SelectiveDrains(this.#makeActiveDrain, logger)
    this.#whole = new WholeDrain({
      context: this.#context,
      events: this.#events,
      makeActiveDrain: this.#makeActiveDrain,
      stopListening: () => this.#servers.stopListening(),
      release: () => this.#release(),
    })
    this.#trustWatch = this.#watchTrust()
    this.#servers = new WatchedServers(options, this.#context)
    warnOfUnusedHooks(options.servers, this.#context)
  }

  get state(): DrainState {
    return this.#whole.state
  }

  get ready(): boolean {
    return this.state === 'running' && !this.#closed
  }

  get run(): DrainRun | null {
    return this.#whole.run
  }

  start(input: string | DrainStartOptions = {}): DrainRun {
    this.#assertOpen()
    const options = resolveStart(input, this.#options.times)
    return options.where ? this.#selective.start(options) : this.#whole.start(options, input)
  }

  async startDistrusted(options: Omit<DrainStartOptions, 'where' | 'lameDuckMs'> = {}): Promise<DrainRun> {
    this.#assertOpen()
    const { engine } = this.#options
    if (!engine)
      throw new DrainError(
        'OPTIONS_INVALID',
        'startDistrusted: expected `engine` in the options of the drain',
      )
    const distrusted = await engine.distrusted(securedAmong(this.#context.connections))
    return this.#drainDistrusted(distrusted, options)
  }

  complete(signal?: AbortSignal): Promise<DrainResult> {
    return waitFor(this.#whole.completion, signal)
  }

  force(): void {
    this.#whole.force()
  }

  cancel(): void {
    this.#whole.cancel()
  }

  track(session: TrackedSession): () => void {
    this.#assertOpen()
    assertSession(session)
    const { connections } = this.#context
    const connection = new TrackedConnection(session, this.#context)
    connections.add(connection)
    return () => connections.drop(connection, 'closed')
  }

  connections(): ConnectionCounts {
    return this.#context.connections.counts()
  }

  on<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this {
    this.#events.on(event, listener)
    return this
  }

  once<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this {
    this.#events.once(event, listener)
    return this
  }

  off<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this {
    this.#events.off(event, listener)
    return this
  }

  close(): void {
    if (this.#closed) return
    this.#selective.close()
    this.#whole.close()
    this.#release()
  }

  #watchTrust(): TrustWatch | null {
    const { engine, onTrustRemoved } = this.#options
    if (!engine || onTrustRemoved === 'keep') return null
    const { connections, logger } = this.#context
    const drainDistrusted = (distrusted: ReadonlySet<Socket>) => void this.#drainDistrusted(distrusted, {})
    return new TrustWatch({ engine, connections, logger, drainDistrusted })
  }

  #drainDistrusted(distrusted: ReadonlySet<Socket>, options: DrainStartOptions): DrainRun {
    const where = ({ socket }: ConnectionFacts) => socket !== undefined && distrusted.has(socket)
    return this.start({ reason: 'trust removed', ...options, where })
  }

  #reportClosed({ facts }: Connection, departure: Departure): void {
    this.#events.emit('connection-closed', { protocol: facts.protocol, departure, ageMs: facts.ageMs })
  }

  #release(): void {
    this.#closed = true
    this.#trustWatch?.release()
    this.#servers.release()
    this.#context.connections.clear()
  }

  #assertOpen(): void {
    if (this.#closed && !this.run) throw new DrainError('CLOSED', 'the drain is closed')
  }
}
