import type { Server, Socket } from 'node:net'

import { type Clock, systemClock } from '../clock.js'
import { EventHub } from '../observe/event-hub.js'
import { deferredLogger, type Logger } from '../observe/logger.js'
import { ConnectionBook } from './book.js'
import type { Connection, ConnectionCounts, Departure } from './connection.js'
import { deferred, waitFor } from './deferred.js'
import { DrainError } from './errors.js'
import type { ConnectionFacts } from './facts.js'
import { type DrainResult, Farewell } from './farewell.js'
import type { Drain, DrainEvents, DrainRun } from './handle.js'
import {
  type DrainOptions,
  type DrainStartOptions,
  type ResolvedDrainOptions,
  type ResolvedStart,
  resolveDrainOptions,
  resolveStart,
} from './options.js'
import { type DrainState, DrainStateMachine } from './state.js'
import type { Surroundings } from './surroundings.js'
import { TrackedConnection, type TrackedSession } from './tracked.js'
import { securedAmong, TrustWatch } from './trust-watch.js'
import { type WatchedServer, watchServer } from './watch-server.js'

/**
 * Watches the connections of some servers, so that they can be drained. Costs them nothing but the counting, and
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

/** What a test replaces. */
export interface DrainParts {
  readonly clock?: Clock
  readonly random?: () => number
}

/** @internal */
export function openDrain(options: ResolvedDrainOptions, parts: DrainParts = {}): Drain {
  return new ServerDrain(options, parts.clock ?? systemClock, parts.random ?? Math.random)
}

/** How many turns of the loop without a new connection the listeners are closed after, and how many turns at most. */
const QUIET_TURNS = 3
const MOST_TURNS = 250

/** A server is in one drain at most: two would each send their goodbyes. */
const taken = new WeakSet<Server>()

class ServerDrain implements Drain {
  readonly #options: ResolvedDrainOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #logger: Logger
  readonly #book = new ConnectionBook()
  readonly #around: Surroundings
  readonly #servers = new Map<Server, WatchedServer>()
  readonly #events: EventHub<DrainEvents>
  readonly #machine = new DrainStateMachine((state, previous) => this.#events.emit('state', state, previous))
  readonly #selective = new Set<Farewell>()
  readonly #trustWatch: TrustWatch | null
  readonly #completion = deferred<DrainResult>()
  #farewell: Farewell | null = null
  #run: DrainRun | null = null
  #cancellable = true
  #cancelLameDuck: () => void = () => {}
  #closed = false

  constructor(options: ResolvedDrainOptions, clock: Clock, random: () => number) {
    assertFree(options.servers)
    this.#options = options
    this.#clock = clock
    this.#random = random
    this.#logger = deferredLogger(options.logger)
    this.#events = new EventHub(this.#logger, 'drain')
    const { hooks, incompleteMs, closeTimeoutMs, pingTimeoutMs, generationOf } = options
    this.#around = {
      book: this.#book,
      clock,
      logger: this.#logger,
      hooks,
      incompleteMs,
      closeTimeoutMs,
      pingTimeoutMs,
      goawaySent: () => this.#events.emit('goaway'),
      factParts: generationOf ? { clock, generationOf } : { clock },
    }
    this.#trustWatch = this.#watchTrust()
    for (const server of options.servers) {
      taken.add(server)
      this.#servers.set(server, watchServer(server, this.#around, options.http2 === 'two-phase'))
    }
  }

  get state(): DrainState {
    return this.#machine.current
  }

  get ready(): boolean {
    return this.#machine.current === 'running' && !this.#closed
  }

  get run(): DrainRun | null {
    return this.#run
  }

  start(input: string | DrainStartOptions = {}): DrainRun {
    this.#assertOpen()
    const options = resolveStart(input, this.#options.times)
    if (options.where) return this.#startSelective(options)
    if (this.#farewell && this.#run) return this.#startAgain(this.#farewell, this.#run, options, input)
    return this.#startWhole(options)
  }

  async startDistrusted(options: Omit<DrainStartOptions, 'where' | 'lameDuckMs'> = {}): Promise<DrainRun> {
    this.#assertOpen()
    const { engine } = this.#options
    if (!engine)
      throw new DrainError(
        'OPTIONS_INVALID',
        'startDistrusted: expected `engine` in the options of the drain',
      )
    const distrusted = await engine.distrusted(securedAmong(this.#book))
    return this.#dismiss(distrusted, options)
  }

  complete(signal?: AbortSignal): Promise<DrainResult> {
    return waitFor(this.#completion.promise, signal)
  }

  force(): void {
    if (!this.#farewell) throw new DrainError('DRAIN_NOT_STARTED', 'force: the drain has not been started')
    this.#force(this.#farewell)
  }

  cancel(): void {
    if (!this.#cancellable || !this.#farewell || this.state !== 'lame-duck') {
      const why = this.#cancellable ? `the drain is ${this.state}, not a lame duck` : 'the start was final'
      throw new DrainError('DRAIN_NOT_CANCELLABLE', `cancel: ${why}`)
    }
    this.#cancelLameDuck()
    this.#farewell.cancel()
    this.#farewell = null
    this.#run = null
    this.#machine.move('running')
    this.#logger.info({}, 'drain cancelled')
  }

  track(session: TrackedSession): () => void {
    this.#assertOpen()
    const connection = new TrackedConnection(session, this.#around)
    this.#book.add(connection)
    return () => this.#book.drop(connection, 'closed')
  }

  connections(): ConnectionCounts {
    return this.#book.counts()
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
    this.#cancelLameDuck()
    for (const farewell of this.#selective) farewell.cancel()
    if (!this.#machine.final) this.#farewell?.cancel()
    this.#release()
    this.#completion.reject(new DrainError('CLOSED', 'the drain was closed before its end'))
  }

  #startWhole(options: ResolvedStart): DrainRun {
    const farewell = this.#farewellTo(options, {
      expired: () => this.#force(farewell),
      ended: (result) => this.#end(result),
    })
    this.#farewell = farewell
    this.#cancellable = options.cancellable
    this.#run = runOf(farewell, this.#completion.promise, () => this.#force(farewell))
    const { uri, reason, lameDuckMs, deadlineMs } = options
    this.#logger.info({ uri, reason, lameDuckMs, deadlineMs, connections: this.connections() }, 'draining')
    // Kept from here on: the end of the drain may come before this returns.
    const run = this.#run
    if (deadlineMs === 0) this.#force(farewell)
    else if (lameDuckMs === 0) this.#closeDown(farewell)
    else this.#beLameDuck(farewell, lameDuckMs)
    return run
  }

  #startAgain(
    farewell: Farewell,
    run: DrainRun,
    options: ResolvedStart,
    given: string | DrainStartOptions,
  ): DrainRun {
    const { uri } = farewell.notice
    if (options.uri !== undefined && options.uri !== uri) {
      const kept = uri === undefined ? 'without a redirect URI' : `to ${uri}`
      throw new DrainError('DRAIN_STARTED', `start: a drain ${kept} is on; it stays as it is`)
    }
    if (typeof given === 'string' || this.#machine.final) return run
    if (given.cancellable === false) this.#cancellable = false
    if (given.deadlineMs === 0) this.#force(farewell)
    else if (given.deadlineMs !== undefined) farewell.deadline.tighten(options.deadlineMs)
    if (given.lameDuckMs === 0 && this.state === 'lame-duck') this.#closeDown(farewell)
    return run
  }

  #startSelective(options: ResolvedStart): DrainRun {
    const completion = deferred<DrainResult>()
    const farewell = this.#farewellTo(options, {
      expired: () => farewell.force(),
      ended: (result) => {
        this.#selective.delete(farewell)
        this.#logger.info({ ...result }, 'some connections drained')
        completion.resolve(result)
      },
    })
    this.#selective.add(farewell)
    if (options.deadlineMs === 0) farewell.force()
    else farewell.leave()
    return runOf(farewell, completion.promise, () => farewell.force())
  }

  #watchTrust(): TrustWatch | null {
    const { engine, onTrustRemoved } = this.#options
    if (!engine || onTrustRemoved === 'keep') return null
    const dismiss = (distrusted: ReadonlySet<Socket>) => void this.#dismiss(distrusted, {})
    return new TrustWatch({ engine, book: this.#book, logger: this.#logger, dismiss })
  }

  #dismiss(distrusted: ReadonlySet<Socket>, options: DrainStartOptions): DrainRun {
    const where = ({ socket }: ConnectionFacts) => socket !== undefined && distrusted.has(socket)
    return this.start({ reason: 'trust removed', ...options, where })
  }

  #farewellTo(
    { uri, reason, deadlineMs, spreadMs, where }: ResolvedStart,
    callbacks: { readonly expired: () => void; readonly ended: (result: DrainResult) => void },
  ): Farewell {
    return new Farewell({
      book: this.#book,
      clock: this.#clock,
      logger: this.#logger,
      random: this.#random,
      incompleteMs: this.#options.incompleteMs,
      uri,
      reason,
      deadlineMs,
      spreadMs,
      where,
      left: (connection, departure) => this.#tell(connection, departure),
      ...callbacks,
    })
  }

  #beLameDuck(farewell: Farewell, lameDuckMs: number): void {
    farewell.windDown()
    this.#cancelLameDuck = this.#clock.after(lameDuckMs, () => this.#closeWhenQuiet(farewell))
    this.#machine.move('lame-duck')
  }

  /**
   * Closes down once some turns of the loop have brought no new connection: those that wait in the kernel to be accepted
   * are reset when the listener closes, and a loop that was held up has many of them.
   */
  #closeWhenQuiet(farewell: Farewell, quiet = 0, turns = 1): void {
    if (quiet === QUIET_TURNS || turns === MOST_TURNS) {
      this.#closeDown(farewell)
      return
    }
    const { arrivals } = this.#book
    const immediate = setImmediate(() => {
      const more = this.#book.arrivals > arrivals
      this.#closeWhenQuiet(farewell, more ? 0 : quiet + 1, turns + 1)
    })
    this.#cancelLameDuck = () => clearImmediate(immediate)
  }

  #closeDown(farewell: Farewell): void {
    this.#cancelLameDuck()
    if (!this.#machine.move('closing')) return
    this.#stopListening()
    farewell.leave()
  }

  #force(farewell: Farewell): void {
    this.#cancelLameDuck()
    if (!this.#machine.move('forced')) return
    this.#stopListening()
    farewell.force()
  }

  #stopListening(): void {
    for (const server of this.#servers.values()) {
      server.stopListening()
      if (this.#options.lateRequests === 'refuse') server.refuseRequests()
    }
  }

  #end(result: DrainResult): void {
    this.#machine.move('drained')
    this.#release()
    const { outcome, ...fields } = result
    if (outcome === 'drained') this.#logger.info(fields, 'drained')
    else this.#logger.warn(fields, 'drain forced')
    this.#completion.resolve(result)
    this.#events.emit('drained', result)
  }

  #tell({ facts }: Connection, departure: Departure): void {
    this.#events.emit('connection-closed', { protocol: facts.protocol, departure, ageMs: facts.ageMs })
  }

  #release(): void {
    this.#closed = true
    this.#trustWatch?.release()
    for (const [server, watched] of this.#servers) {
      watched.release()
      taken.delete(server)
    }
    this.#servers.clear()
    this.#book.clear()
  }

  #assertOpen(): void {
    if (this.#closed && !this.#run) throw new DrainError('CLOSED', 'the drain is closed')
  }
}

function runOf(farewell: Farewell, completion: Promise<DrainResult>, force: () => void): DrainRun {
  return {
    uri: farewell.notice.uri,
    reason: farewell.notice.reason,
    get remainingMs() {
      return farewell.deadline.leftMs
    },
    connections: () => farewell.counts(),
    complete: (signal) => waitFor(completion, signal),
    force,
  }
}

function assertFree(servers: readonly Server[]): void {
  if (!servers.some((server) => taken.has(server))) return
  throw new DrainError('SERVER_TAKEN', 'createDrain: a server belongs to another drain; close that one first')
}
