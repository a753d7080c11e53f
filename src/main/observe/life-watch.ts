import type { Clock } from '../clock.js'
import type { Generation } from '../generation/generation.js'
import { servingOf } from '../result.js'
import { type ExpiryNotice, ExpiryWatch } from './expiry-watch.js'
import type { Logger } from './logger.js'

/** How long what is served has to live: the default certificate, or the SNI host that is nearest to its end. */
export class LifeWatch {
  readonly #clock: Clock
  readonly #default: ExpiryWatch
  readonly #hosts: ExpiryWatch
  #endMs = Number.POSITIVE_INFINITY

  constructor(
    thresholdDays: readonly number[],
    clock: Clock,
    logger: Logger,
    onNotice: (notice: ExpiryNotice) => void,
  ) {
    this.#clock = clock
    this.#default = new ExpiryWatch(thresholdDays, clock, logger, onNotice)
    this.#hosts = new ExpiryWatch(thresholdDays, clock, logger, onNotice)
  }

  /** Milliseconds. */
  get leftMs(): number {
    return this.#endMs - this.#clock.wallMs()
  }

  watch(generation: Generation): void {
    const serving = servingOf(generation)
    const soonest = generation.hosts?.soonest ?? null
    this.#default.watch(generation.number, serving)
    this.#hosts.watch(generation.number, soonest)
    this.#endMs = Math.min(
      ...[serving, ...(soonest ? [soonest] : [])].map(({ notAfter }) => Date.parse(notAfter)),
    )
  }

  stop(): void {
    this.#default.stop()
    this.#hosts.stop()
  }
}
