import type { Drain } from './handle.js'
import type { DrainState } from './state.js'

/** What a service manager can be told; the notifier of `certswap/systemd` tells systemd. */
export interface ServiceManager {
  /** The process ends, for good. */
  stopping(text?: string): void
  /** It takes this many more milliseconds. */
  extend(ms: number): void
}

/** How often to ask for more time, and for how much, in milliseconds. */
const EXTEND_EVERY_MS = 10_000
const EXTEND_BY_MS = 30_000

/**
 * Tells a service manager, if there is one, of a drain that cannot be taken back any more, and asks it for time until
 * the end of it: it would kill a process that takes longer than its unit says.
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

  /** What closes by itself begins by itself; a lame duck is final only where its caller says so. */
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
