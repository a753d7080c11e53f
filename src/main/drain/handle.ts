import type { ConnectionCounts, Departure } from './connections/connection.js'
import type { Protocol } from './connections/protocols.js'
import type { TrackedSession } from './connections/tracked.js'
import type { DrainResult } from './farewell.js'
import type { DrainStartOptions } from './options.js'
import type { DrainState } from './state.js'

/** A connection that left while a drain was on. */
export interface ConnectionClosed {
  readonly protocol: Protocol
  readonly departure: Departure
  /** Milliseconds that it lived. */
  readonly ageMs: number
}

/** Events of a drain, with what their listeners get. */
export interface DrainEvents {
  /** The new failureDigest and the one before. */
  state: [DrainState, DrainState]
  'connection-closed': [ConnectionClosed]
  /** An HTTP/2 session was sent its GOAWAY; of two, the first. */
  goaway: []
  /** The end, `drained` or `forced`; after `failureDigest`. */
  drained: [DrainResult]
}

/** A drain that was started: of everything, or of what `where` chose. */
export interface DrainRun {
  /** The redirect URI that clients are told. */
  readonly uri: string | undefined
  /** Why, as given to `start`. */
  readonly reason: string | undefined
  /** Milliseconds until what is left is cut; `Infinity` without a deadline. */
  readonly remainingMs: number
  /** Connections that are still to go, by protocol. */
  connections(): ConnectionCounts
  /**
   * Resolves when the last of them has gone or been cut.
   * @throws DrainError `ABORTED` when the signal ended the wait, `CLOSED` when the drain was closed.
   */
  complete(signal?: AbortSignal): Promise<DrainResult>
  /** Cuts what is left now. */
  force(): void
}

/** Says goodbye to every connection of some servers, and tells when the last has gone. */
export interface Drain {
  readonly state: DrainState
  /** What a readiness probe should say: `false` from the lame duck on. Liveness stays good to the end. */
  readonly ready: boolean
  /** The drain of everything that was started; `null` before, and after `cancel`. */
  readonly run: DrainRun | null
  /**
   * Starts the drain of everything, or with `where` of some connections. A string is the redirect URI. Called again it
   * returns the drain that is on, can only shorten its times, and starts nothing twice.
   * @throws DrainError `OPTIONS_INVALID`; `DRAIN_STARTED` when a drain with another URI is on; `CLOSED`.
   */
  start(options?: string | DrainStartOptions): DrainRun
  /**
   * Starts the drain of the connections whose client certificate the engine's trust of now would not let in any more,
   * as `onTrustRemoved: 'drain'` does after each change of trust.
   * @throws DrainError `OPTIONS_INVALID` without the option `engine`; `CLOSED`. What asking the engine throws.
   */
  startDistrusted(options?: Omit<DrainStartOptions, 'where' | 'lameDuckMs'>): Promise<DrainRun>
  /**
   * Resolves at the end of the drain, whenever it starts.
   * @throws DrainError `ABORTED` when the signal ended the wait, `CLOSED` when the drain was closed.
   */
  complete(signal?: AbortSignal): Promise<DrainResult>
  /** Cuts what is left now. @throws DrainError `DRAIN_NOT_STARTED` */
  force(): void
  /**
   * Takes back a drain that is still a lame duck: failureDigest `running`, and ready.
   * @throws DrainError `DRAIN_NOT_CANCELLABLE`
   */
  cancel(): void
  /**
   * Adds a session of a protocol that the drain does not know; it leaves by itself when it has closed.
   * @returns a function that takes it out, without a goodbye.
   * @throws DrainError `OPTIONS_INVALID` for an object that is no session; `CLOSED`
   */
  track(session: TrackedSession): () => void
  /** Live connections, by protocol. */
  connections(): ConnectionCounts
  on<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this
  once<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this
  off<E extends keyof DrainEvents>(event: E, listener: (...args: DrainEvents[E]) => void): this
  /** Stops watching the servers, and leaves them and their connections as they are. The end of a drain does it too. */
  close(): void
}
