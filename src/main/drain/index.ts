export type { Logger } from '../base/logger.js'
export type { DrainResult } from './active-drain.js'
export { closeEventStreams, type EventStreamOptions } from './close-event-streams.js'
export { closeLongPolls, type EngineIoLike, type SocketIoLike } from './close-long-polls.js'
export {
  type ConnectionCounts,
  DEPARTURES,
  type Departure,
  type DrainNotice,
} from './connections/connection.js'
export type { ConnectionFacts, PeerFacts } from './connections/facts.js'
export type {
  DrainHooks,
  OneOrMany,
  RawHook,
  ResponseHook,
  StreamHook,
  UpgradeHook,
} from './connections/hooks.js'
export { PROTOCOLS, type Protocol } from './connections/protocols.js'
export type { TrackedSession } from './connections/tracked.js'
export { createDrain } from './drain.js'
export { DRAIN_ERROR_CODES, DrainError, type DrainErrorCode } from './errors.js'
export type { ConnectionClosed, Drain, DrainEvents, DrainRun } from './handle.js'
export type { DrainOptions, DrainStartOptions } from './options.js'
export type { ServiceManager } from './service-manager.js'
export { handleSignals, type Reloadable, type SignalOptions } from './signals.js'
export { DRAIN_STATES, type DrainState } from './state.js'
export type { TrustSource } from './trust-watch.js'
export { closeWebSockets, type WebSocketLike, type WebSocketServerLike } from './web-sockets.js'
