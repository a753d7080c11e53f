import type { ExpiryNotice } from '../api/status.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { withCurrentWarnings } from '../engine/current-warnings.js'
import { LifeWatch } from '../engine/life-watch.js'
import type { Snapshot } from '../generation/generation.js'
import type { JoinedStatus } from './member-engine.js'

/** Watches the expiry of the material that a member serves, from its first generation on. */
export class MemberLife {
  readonly #open: (snapshot: Snapshot) => LifeWatch
  #watch: LifeWatch | null = null
  #watched: Snapshot | null = null

  /** @param isLoggedByPrimary whether the primary logs expiries, once for the whole fleet. */
  constructor(
    clock: Clock,
    logger: Logger,
    notify: (notice: ExpiryNotice) => void,
    isLoggedByPrimary: () => boolean,
  ) {
    this.#open = (snapshot) =>
      new LifeWatch(snapshot, { clock, logger, notify, isLogged: () => !isLoggedByPrimary() })
  }

  /** Call for each generation that is put into service. */
  watch(snapshot: Snapshot): LifeWatch {
    if (!this.#watch) this.#watch = this.#open(snapshot)
    else if (snapshot !== this.#watched) this.#watch.watch(snapshot)
    this.#watched = snapshot
    return this.#watch
  }

  /** The part of the status that depends on the served snapshot. */
  status(snapshot: Snapshot): Pick<JoinedStatus, 'generation' | 'ends' | 'warnings'> {
    const { ends, warnings } = this.watch(snapshot)
    const generation = withCurrentWarnings(snapshot.generation, warnings)
    return { generation, ends, warnings: generation.warnings }
  }

  stop(): void {
    this.#watch?.stop()
  }
}
