import type { EvictedMember } from '../api/members.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { OnDemand } from '../feed/open-on-demand.js'
import type { Reloader } from '../reload/reloader.js'

/** The parts of an engine that a fleet needs in addition to the public API. */
export interface EngineInternals {
  readonly reloader: Reloader
  readonly clock: Clock
  readonly logger: Logger
  /** `null` without hosts on demand. */
  readonly onDemand: OnDemand | null
  /** Emits the event `evicted`. */
  readonly evicted: (member: EvictedMember) => void
}

const internals = new WeakMap<ReloadEngine, EngineInternals>()

/** Called by the constructor of an engine. */
export function setInternals(engine: ReloadEngine, parts: EngineInternals): void {
  internals.set(engine, parts)
}

export function internalsOf(engine: ReloadEngine): EngineInternals | undefined {
  return internals.get(engine)
}
