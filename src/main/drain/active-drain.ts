import type { Clock } from '../base/clock.js'
import { holdLoop } from '../base/hold-loop.js'
import type { Logger } from '../base/logger.js'
import { reportUserCode } from '../base/user-code.js'
import {
  type Connection,
  type ConnectionCounts,
  countsOf,
  type Departure,
  type DrainNotice,
} from './connections/connection.js'
import type { Connections, ConnectionsObserver } from './connections/connections.js'
import type { ConnectionFacts } from './connections/facts.js'
import type { Protocol } from './connections/protocols.js'
import { Deadline } from './deadline.js'
import type { ResolvedStart } from './options.js'
import { Rounds } from './rounds.js'

/** Milliseconds after which a connection that was cut counts as closed, even without a `close` event. */
const FORCE_GRACE_MS = 150

/** Maximum number of requests that are listed in the log line about cut connections. */
const MAX_REQUESTS = 10

/** Result of a drain. Frozen, plain data. */
export interface DrainResult {
  /** `drained` if every connection closed in time; `forced` after the deadline or `force()`. */
  readonly outcome: 'drained' | 'forced'
  /** Milliseconds since the start. */
  readonly durationMs: number
  /** Connections by {@link Departure} and protocol. */
  readonly closed: ConnectionCounts
  readonly abandoned: ConnectionCounts
  readonly forced: ConnectionCounts
  readonly uri: string | undefined
  readonly reason: string | undefined
}

export interface ActiveDrainParts {
  readonly connections: Connections
  readonly clock: Clock
  readonly logger: Logger
  readonly random: () => number
  readonly uri: string | undefined
  readonly reason: string | undefined
  readonly deadlineMs: number
  readonly spreadMs: number
  /** Milliseconds that a handshake may take once the drain closes. */
  readonly incompleteMs: number
  /** Selects the connections to drain; `null` for all. */
  readonly where: ((facts: ConnectionFacts) => boolean) | null
  /** Called when the deadline has passed, before anything is cut. */
  readonly expired: () => void
  readonly left: (connection: Connection, departure: Departure) => void
  readonly ended: (result: DrainResult) => void
}

/** Makes the {@link ActiveDrain} of one drain from its options and the parts that all drains of these servers share. */
export type ActiveDrainMaker = (
  options: ResolvedStart,
  callbacks: Pick<ActiveDrainParts, 'expired' | 'ended'>,
) => ActiveDrain

/**
 * Drains a set of connections: those that exist at the start, and those accepted while it runs. Ends when the last one has
 * closed, or after the deadline.
 */
export class ActiveDrain implements ConnectionsObserver {
  readonly notice: DrainNotice
  readonly deadline: Deadline
  readonly #parts: ActiveDrainParts
  readonly #startedMs: number
  readonly #members = new Set<Connection>()
  /** Handshakes: `where` can decide only once they are finished. */
  readonly #undecided = new Set<Connection>()
  readonly #gone: Record<Departure, Protocol[]> = { closed: [], abandoned: [], forced: [] }
  readonly #timers = new Set<() => void>()
  readonly #unfollow: () => void
  readonly #releaseLoop: () => void
  #rounds: Rounds<Connection> | null = null
  #phase: 'waiting' | 'winding-down' | 'leaving' | 'forcing' | 'over' = 'waiting'

  constructor(parts: ActiveDrainParts) {
    this.#parts = parts
    this.#startedMs = parts.clock.monotonicMs()
    for (const connection of parts.connections) this.#consider(connection)
    this.#unfollow = parts.connections.follow(this)
    this.#releaseLoop = holdLoop()
    this.deadline = new Deadline(parts.clock, parts.deadlineMs, parts.expired)
    const { deadline } = this
    this.notice = Object.freeze({
      uri: parts.uri,
      reason: parts.reason,
      get remainingMs() {
        return deadline.leftMs
      },
    })
  }

  counts(): ConnectionCounts {
    return countsOf([...this.#members].map(({ facts }) => facts.protocol))
  }

  /** Makes every HTTP/1.1 response the last one of its connection. */
  windDown(): void {
    this.#phase = 'winding-down'
    this.#inRounds(0, (connection) => connection.windDown(this.notice))
  }

  /** Sends every close notice, spread over `spreadMs`, or over half of the remaining time if that is less. */
  leave(): void {
    if (this.#phase !== 'waiting' && this.#phase !== 'winding-down') return
    this.#phase = 'leaving'
    const { spreadMs, incompleteMs } = this.#parts
    const spread = Math.min(spreadMs, this.deadline.leftMs / 2)
    this.#inRounds(spread, (connection) => connection.leave(this.notice, false))
    if (this.#undecided.size > 0) this.#after(incompleteMs, () => this.#giveUpUndecided())
    this.#endIfEmpty()
  }

  /** Cuts the remaining connections. */
  force(): void {
    if (this.#phase === 'forcing' || this.#phase === 'over') return
    this.#phase = 'forcing'
    this.#undecided.clear()
    this.#logForced()
    const cut = (connection: Connection) => connection.cut()
    this.#inRounds(0, cut, () => this.#after(FORCE_GRACE_MS, () => this.#end()))
    this.#endIfEmpty()
  }

  /** Stops the drain; the connections stay open. */
  cancel(): void {
    this.#rounds?.stop()
    for (const connection of this.#members) connection.undoWindDown()
    this.#dispose()
  }

  joined(connection: Connection, instead: Connection | undefined): void {
    const wasMember = instead !== undefined && this.#members.delete(instead)
    if (instead) this.#undecided.delete(instead)
    if (wasMember) this.#members.add(connection)
    else this.#considerSafely(connection)
    if (this.#members.has(connection)) this.#startInPhase(connection)
    this.#endIfEmpty()
  }

  left(connection: Connection, departure: Departure): void {
    this.#undecided.delete(connection)
    if (this.#members.delete(connection)) {
      this.#gone[departure].push(connection.facts.protocol)
      this.#parts.left(connection, departure)
    }
    this.#endIfEmpty()
  }

  #consider(connection: Connection): void {
    const { where } = this.#parts
    if (where && connection.facts.protocol === 'handshake') this.#undecided.add(connection)
    else if (!where || where(connection.facts)) this.#members.add(connection)
  }

  /** At the start, an error of `where` is thrown to the caller of `start`; for later connections there is no caller. */
  #considerSafely(connection: Connection): void {
    try {
      this.#consider(connection)
    } catch (error) {
      const message = '`where` of a drain threw; the connection is not drained'
      reportUserCode('hook', 'the option `where` of a drain', error, () => {
        this.#parts.logger.error({ err: error }, message)
      })
    }
  }

  /** A connection accepted during the drain starts in the current phase. */
  #startInPhase(connection: Connection): void {
    if (this.#phase === 'winding-down') connection.windDown(this.notice)
    else if (this.#phase === 'leaving') connection.leave(this.notice, true)
    else if (this.#phase === 'forcing') connection.cut()
  }

  /**
   * Acts on the current members, a few in each turn of the loop: thousands at once would block it for seconds. Connections
   * accepted meanwhile are handled by `#greet`. A new phase replaces the previous one, even if that was not finished.
   */
  #inRounds(spreadMs: number, act: (connection: Connection) => void, done = () => {}): void {
    this.#rounds?.stop()
    const { clock, random } = this.#parts
    const nowMs = clock.monotonicMs()
    const due = [...this.#members].map((item) => ({ item, atMs: nowMs + (spreadMs && random() * spreadMs) }))
    if (spreadMs > 0) due.sort((a, b) => a.atMs - b.atMs)
    const actOnMember = (connection: Connection) => {
      if (this.#members.has(connection)) act(connection)
    }
    // Assigned before it starts, because an action may begin the next phase.
    this.#rounds = new Rounds(due, clock, actOnMember, done)
    this.#rounds.start()
  }

  #giveUpUndecided(): void {
    this.#undecided.clear()
    this.#endIfEmpty()
  }

  #endIfEmpty(): void {
    const isEnding = this.#phase === 'leaving' || this.#phase === 'forcing'
    if (isEnding && this.#members.size === 0 && this.#undecided.size === 0) this.#end()
  }

  #end(): void {
    const outcome = this.#phase === 'forcing' ? 'forced' : 'drained'
    for (const { facts } of this.#members) this.#gone.forced.push(facts.protocol)
    this.#dispose()
    this.#parts.ended(
      Object.freeze({
        outcome,
        durationMs: this.#parts.clock.monotonicMs() - this.#startedMs,
        closed: countsOf(this.#gone.closed),
        abandoned: countsOf(this.#gone.abandoned),
        forced: countsOf(this.#gone.forced),
        uri: this.#parts.uri,
        reason: this.#parts.reason,
      }),
    )
  }

  #dispose(): void {
    this.#phase = 'over'
    this.#rounds?.stop()
    this.deadline.clear()
    for (const cancel of this.#timers) cancel()
    this.#unfollow()
    this.#releaseLoop()
  }

  #logForced(): void {
    if (this.#members.size === 0) return
    const requests: string[] = []
    for (const { facts } of this.#members) {
      if (requests.length >= MAX_REQUESTS) break
      requests.push(...facts.requests)
    }
    const fields = { connections: this.counts(), requests: requests.slice(0, MAX_REQUESTS) }
    this.#parts.logger.warn(fields, 'cutting connections that did not close')
  }

  #after(ms: number, callback: () => void): void {
    this.#timers.add(this.#parts.clock.after(ms, callback))
  }
}
