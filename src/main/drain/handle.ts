import type { DrainResult } from './active-drain.js'
import type { ConnectionCounts, Departure } from './connections/connection.js'
import type { Protocol } from './connections/protocols.js'
import type { TrackedSession } from './connections/tracked.js'
import type { DrainStartOptions } from './options.js'
import type { DrainState } from './state.js'

/** A connection that ended during a drain. */
export interface ConnectionClosed {
  readonly protocol: Protocol
  readonly departure: Departure
  /** Milliseconds since it was accepted. */
  readonly ageMs: number
}

/** Events of a drain, with the arguments of their listeners. */
export interface DrainEvents {
  /** The new state and the previous one. */
  state: [DrainState, DrainState]
  'connection-closed': [ConnectionClosed]
  /** A GOAWAY was sent on an HTTP/2 session; with two of them, the first. */
  goaway: []
  /** The drain ended, `drained` or `forced`; emitted after `state`. */
  drained: [DrainResult]
}

/** A drain that was started: of all connections, or of those that `where` selected. */
export interface DrainRun {
  /** The redirect URI that is sent to clients. */
  readonly uri: string | undefined
  /** The reason given to `start`. */
  readonly reason: string | undefined
  /** Milliseconds until the remaining connections are cut; `Infinity` without a deadline. */
  readonly remainingMs: number
  /** Connections that are still open, by protocol. */
  connections(): ConnectionCounts
  /**
   * Resolves when the last of them has closed or been cut.
   * @throws DrainError `ABORTED` if the signal ended the wait, `CLOSED` if the drain was closed before its end.
   */
  complete(signal?: AbortSignal): Promise<DrainResult>
  /** Cuts the remaining connections now. */
  force(): void
}

/** Closes the connections of some servers gracefully, and reports when the last one has closed. */
export interface Drain {
  readonly state: DrainState
  /** Value for a readiness probe: `false` from the lame-duck phase on. A liveness probe should succeed until the end. */
  readonly ready: boolean
  /** The drain of all connections; `null` before its start and after `cancel`. */
  readonly run: DrainRun | null
  /**
   * Starts the drain of all connections, or with `where` of some. A string is the redirect URI. A second call returns the
   * drain in progress and can only shorten its times; with `where`, each call starts a drain of its own.
   * @throws DrainError `OPTIONS_INVALID`; `DRAIN_STARTED` if a drain with another URI is in progress; `CLOSED`.
   */
  start(options?: string | DrainStartOptions): DrainRun
  /**
   * Starts the drain of the connections whose client certificate the engine's current CAs and CRLs no longer accept, as
   * `onTrustRemoved: 'drain'` does after each change of trust.
   * @throws DrainError `OPTIONS_INVALID` without the option `engine`; `CLOSED`. Errors of `engine.distrusted`.
   */
  startDistrusted(options?: Omit<DrainStartOptions, 'where' | 'lameDuckMs'>): Promise<DrainRun>
  /**
   * Resolves at the end of the drain; may be called before its start.
   * @throws DrainError `ABORTED` if the signal ended the wait, `CLOSED` if the drain was closed before its end.
   */
  complete(signal?: AbortSignal): Promise<DrainResult>
  /** Cuts the remaining connections now. @throws DrainError `DRAIN_NOT_STARTED` */
  force(): void
  /**
   * Cancels a drain that is still in its lame-duck phase: the state becomes `running`, and `ready` becomes `true`.
   * @throws DrainError `DRAIN_NOT_CANCELLABLE`
   */
  cancel(): void
  /**
   * Adds a session of a protocol that the drain does not implement; it is removed when its `closed` settles.
   * @returns a function that removes it without calling `goaway`.
   * @throws DrainError `OPTIONS_INVALID` for an object that is not a session; `CLOSED`
   */
  track(session: TrackedSession): () => void
  /** Live connections, by protocol. */
  connections(): ConnectionCounts
  on<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this
  once<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this
  off<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this
  /** Stops watching the servers; they and their connections stay open. Done automatically at the end of a drain. */
  close(): void
}
