import type { Clock } from '../../base/clock.js'
import type { Logger } from '../../base/logger.js'
import type { Exchanges } from '../exchanges.js'
import type { Goodbyes } from '../goodbyes.js'
import type { Connections } from './connections.js'
import type { FactSources } from './facts.js'

/** What the protocol machines of one drain share. */
export interface DrainContext {
  readonly book: Connections
  readonly clock: Clock
  readonly logger: Logger
  readonly goodbyes: Goodbyes
  readonly exchanges: Exchanges
  /** Milliseconds that a handshake, or a request without all its headers, may take once it is time to leave. */
  readonly incompleteMs: number
  /** Milliseconds that an upgraded connection may take for its own goodbye. */
  readonly closeTimeoutMs: number
  /** Milliseconds without a byte from an HTTP/2 peer, asked for one, after which it is dead. */
  readonly pingTimeoutMs: number
  /** Called once for each HTTP/2 session that is told to go. */
  readonly goawaySent: () => void
  readonly factParts: Pick<FactSources, 'clock' | 'generationOf'>
}
