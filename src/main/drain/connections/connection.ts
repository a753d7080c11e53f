import type { ConnectionFacts } from './facts.js'
import { PROTOCOLS, type Protocol } from './protocols.js'

/**
 * How a connection went:
 *
 * - `closed`: by either side, with nothing cut.
 * - `abandoned`: cut before the deadline, because the peer did not do its part in time: it is dead, never finished
 *   its handshake or its request's headers, or left the closing handshake of a WebSocket unanswered.
 * - `forced`: cut by the deadline or by `force()`.
 */
export const DEPARTURES = ['closed', 'abandoned', 'forced'] as const

/** One of {@link DEPARTURES}. */
export type Departure = (typeof DEPARTURES)[number]

/** What those who leave are told. */
export interface DrainNotice {
  /** Where clients should go instead. */
  readonly uri: string | undefined
  /** Why, as given to `start`. */
  readonly reason: string | undefined
  /** Milliseconds until the connection is cut, as of the moment it is read; `Infinity` without a deadline. */
  readonly remainingMs: number
}

/** A connection as the drain knows it: one class for each protocol. */
export interface Connection {
  readonly facts: ConnectionFacts
  /** Serve on, but let every answer say that it is the last; `carryOn` takes it back. */
  windDown(notice: DrainNotice): void
  carryOn(): void
  /**
   * Say goodbye, finish what runs, and close. What is called again changes nothing. A connection that is a `newborn`
   * came while everybody left, and may not have got to its first request.
   */
  leave(notice: DrainNotice, newborn: boolean): void
  /** Close now, whatever runs. */
  cut(): void
  /** Takes every listener off it; nothing else is called afterwards. */
  release(): void
}

/** Counts of connections by protocol. */
export type ConnectionCounts = Readonly<Record<Protocol, number>>

/** Frozen: counts of what `protocols` lists. */
export function countsOf(protocols: Iterable<Protocol>): ConnectionCounts {
  const counts = Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, 0])) as Record<Protocol, number>
  for (const protocol of protocols) counts[protocol]++
  return Object.freeze(counts)
}
