import type { Clock } from '../clock.js'
import type { Snapshot } from '../generation/generation.js'
import { asOfNow } from '../observe/current-warnings.js'
import type { ExpiryNotice } from '../observe/expiry-notice.js'
import { LifeWatch } from '../observe/life-watch.js'
import type { Logger } from '../observe/logger.js'
import type { JoinedStatus } from './joined-engine.js'

/** Watches the ends of what a member serves, from its first generation on. */
export class MemberLife {
  readonly #open: (snapshot: Snapshot) => LifeWatch
  #watch: LifeWatch | null = null
  #watched: Snapshot | null = null

  /** @param isLookedAfter whether the primary logs what ends here too: it does so once for the whole fleet. */
  constructor(
    clock: Clock,
    logger: Logger,
    notify: (notice: ExpiryNotice) => void,
    isLookedAfter: () => boolean,
  ) {
    this.#open = (snapshot) =>
      new LifeWatch(snapshot, { clock, logger, notify, isLogged: () => !isLookedAfter() })
  }

  /** From now on, this is served. */
  watch(snapshot: Snapshot): LifeWatch {
    if (!this.#watch) this.#watch = this.#open(snapshot)
    else if (snapshot !== this.#watched) this.#watch.watch(snapshot)
    this.#watched = snapshot
    return this.#watch
  }

  /** What there is to show of a snapshot that is served now. */
  status(snapshot: Snapshot): Pick<JoinedStatus, 'generation' | 'ends' | 'warnings'> {
    const { ends, warnings } = this.watch(snapshot)
    const generation = asOfNow(snapshot.generation, warnings)
    return { generation, ends, warnings: generation.warnings }
  }

  stop(): void {
    this.#watch?.stop()
  }
}
