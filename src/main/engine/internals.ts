import type { EvictedMember } from '../api/members.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { Reloader } from '../reload/reloader.js'

/** What a fleet needs of an engine beyond what it shows. */
export interface EngineInternals {
  readonly reloader: Reloader
  readonly clock: Clock
  readonly logger: Logger
  /** Emits `evicted` for a member that the fleet goes on without. */
  readonly evicted: (member: EvictedMember) => void
}

const internals = new WeakMap<ReloadEngine, EngineInternals>()

/** Called by an engine when it is made. */
export function setInternals(engine: ReloadEngine, parts: EngineInternals): void {
  internals.set(engine, parts)
}

export function internalsOf(engine: ReloadEngine): EngineInternals | undefined {
  return internals.get(engine)
}
