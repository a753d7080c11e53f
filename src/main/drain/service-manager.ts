import type { Drain } from './handle.js'
import type { DrainState } from './state.js'

/** Notifications to a service manager; the notifier of `certswap/systemd` sends them to systemd. */
export interface ServiceManager {
  /** Reports that the process is stopping. */
  stopping(text?: string): void
  /** Asks for this many more milliseconds before the timeout. */
  extend(ms: number): void
}

/** Interval at which more time is requested, and the time requested, in milliseconds. */
const EXTEND_EVERY_MS = 10_000
const EXTEND_BY_MS = 30_000

/**
 * Reports a drain that can no longer be cancelled to the service manager, if any, and requests more time until its end:
 * otherwise the service manager kills the process after the stop timeout of its unit.
 */
export class FinalDrain {
  readonly #drain: Drain
  readonly #manager: Partial<ServiceManager>
  #timer: NodeJS.Timeout | undefined
  readonly #follow = (state: DrainState) => {
    if (state === 'closing' || state === 'forced') this.begin()
  }
  readonly #end = () => clearInterval(this.#timer)

  constructor(drain: Drain, manager: Partial<ServiceManager> = {}) {
    this.#drain = drain
    this.#manager = manager
    drain.on('state', this.#follow).on('drained', this.#end)
  }

  /** Called automatically once the drain is closing; in the lame-duck phase, only the caller knows that it is final. */
  begin(): void {
    if (this.#timer || !this.#manager.stopping) return
    this.#manager.stopping('draining')
    const extend = () => this.#manager.extend?.(EXTEND_BY_MS)
    extend()
    this.#timer = setInterval(extend, EXTEND_EVERY_MS).unref()
  }

  release(): void {
    this.#end()
    this.#drain.off('state', this.#follow).off('drained', this.#end)
  }
}
