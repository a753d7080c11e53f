import type { ConnectionFacts } from './facts.js'
import { PROTOCOLS, type Protocol } from './protocols.js'

/**
 * How a connection ended:
 *
 * - `closed`: by either side, with nothing cut.
 * - `abandoned`: cut before the deadline because the peer did not respond in time: it is dead, did not finish its
 *   handshake or its request headers, or did not answer the close frame of a WebSocket.
 * - `forced`: cut by the deadline or by `force()`.
 */
export const DEPARTURES = ['closed', 'abandoned', 'forced'] as const

/** One of {@link DEPARTURES}. */
export type Departure = (typeof DEPARTURES)[number]

/** Facts about the drain that clients and hooks receive. */
export interface DrainNotice {
  /** The URI that clients should use instead. */
  readonly uri: string | undefined
  /** The reason given to `start`. */
  readonly reason: string | undefined
  /** Milliseconds until the connection is cut, computed on each access; `Infinity` without a deadline. */
  readonly remainingMs: number
}

/** A connection of a drain; one implementation for each protocol. */
export interface Connection {
  readonly facts: ConnectionFacts
  /** Keeps serving, and announces the end with every HTTP/1.1 response; `undoWindDown` undoes it. */
  windDown(notice: DrainNotice): void
  undoWindDown(): void
  /**
   * Sends the close notice of the protocol, lets running requests finish, and closes. Repeated calls have no effect.
   *
   * @param isNew whether the connection was accepted during this phase, so that its first request may still be on its way
   */
  leave(notice: DrainNotice, isNew: boolean): void
  /** Closes now, even with requests running. */
  cut(): void
  /** Removes every listener; no other method is called afterwards. */
  release(): void
}

/** Counts of connections by protocol. */
export type ConnectionCounts = Readonly<Record<Protocol, number>>

/** Counts each protocol in the list. The result is frozen. */
export function countsOf(protocols: Iterable<Protocol>): ConnectionCounts {
  const counts = Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, 0])) as Record<Protocol, number>
  for (const protocol of protocols) counts[protocol]++
  return Object.freeze(counts)
}
