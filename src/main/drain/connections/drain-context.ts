import type { Clock } from '../../base/clock.js'
import type { Logger } from '../../base/logger.js'
import type { Exchanges } from '../exchanges.js'
import type { HookCalls } from '../hook-calls.js'
import type { Connections } from './connections.js'
import type { FactSources } from './facts.js'

/** Objects and limits that all connections of one drain share. */
export interface DrainContext {
  readonly connections: Connections
  readonly clock: Clock
  readonly logger: Logger
  readonly hooks: HookCalls
  readonly exchanges: Exchanges
  /** Milliseconds that a TLS handshake, or a request with incomplete headers, may still take once the drain closes. */
  readonly incompleteMs: number
  /** Milliseconds that an upgraded connection may take to close after its close notice. */
  readonly closeTimeoutMs: number
  /** Milliseconds without a byte from a pinged HTTP/2 peer, after which it counts as dead. */
  readonly pingTimeoutMs: number
  /** Called once for each HTTP/2 session, with its first GOAWAY. */
  readonly goawaySent: () => void
  readonly factParts: Pick<FactSources, 'clock' | 'generationOf'>
}
