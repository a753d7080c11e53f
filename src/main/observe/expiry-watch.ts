import type { CertificateFacts } from '../../workers/protocol.js'
import type { Clock } from '../clock.js'
import type { Generation } from '../generation/generation.js'
import { createTick, type Tick } from '../tick.js'
import type { Logger } from './logger.js'

/** The served certificate comes near its end, or has reached it. */
export interface ExpiryNotice {
  readonly generation: number
  readonly fingerprint256: string
  /** ISO 8601 in UTC. */
  readonly notAfter: string
  /** The threshold that was passed, in days; 0 when the certificate has expired. */
  readonly thresholdDays: number
  /** Milliseconds that are left; negative once it has expired. */
  readonly leftMs: number
}

const DAY_MS = 86_400_000
/** A threshold is told only where it lies in this last part of a certificate's life. */
const LATE_PART = 2 / 3

/** Says once for each generation and threshold that the served certificate comes near its end. */
export class ExpiryWatch {
  readonly #thresholdsDays: readonly number[]
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #notify: (notice: ExpiryNotice) => void
  readonly #tick: Tick
  #generation!: Generation
  /** Thresholds that are still ahead, the nearest first. */
  #ahead: number[] = []

  constructor(
    thresholdsDays: readonly number[],
    clock: Clock,
    logger: Logger,
    notify: (notice: ExpiryNotice) => void,
  ) {
    this.#thresholdsDays = thresholdsDays
    this.#clock = clock
    this.#logger = logger
    this.#notify = notify
    this.#tick = createTick({
      clock,
      delayMs: () => this.#untilNextMs(),
      check: async () => this.#tellPassed(),
    })
  }

  watch(generation: Generation): void {
    this.#generation = generation
    const { notBefore, notAfter } = this.#first
    const lifeDays = (Date.parse(notAfter) - Date.parse(notBefore)) / DAY_MS
    // A certificate that lives a month is not near its end in its first days.
    const meant = this.#thresholdsDays.filter((days) => days <= lifeDays * LATE_PART)
    this.#ahead = [...new Set([...meant, 0])].sort((a, b) => b - a)
    // What has passed already is told by a timer too: whoever makes the engine can listen by then.
    this.#tick.plan()
  }

  stop(): void {
    this.#tick.stop()
  }

  /** Of several thresholds that have been passed, only the last is worth a word. */
  #tellPassed(): void {
    const leftMs = this.#leftMs()
    const passed = this.#ahead.filter((days) => leftMs <= days * DAY_MS)
    const thresholdDays = passed.at(-1)
    if (thresholdDays === undefined) return
    this.#ahead = this.#ahead.slice(passed.length)
    const { fingerprint256, notAfter } = this.#first
    const notice = { generation: this.#generation.number, fingerprint256, notAfter, thresholdDays, leftMs }
    if (leftMs <= 0) this.#logger.error(notice, 'the served certificate has expired; clients refuse it')
    else this.#logger.warn(notice, 'the served certificate expires soon')
    this.#notify(Object.freeze(notice))
  }

  #untilNextMs(): number | null {
    const [days] = this.#ahead
    return days === undefined ? null : Math.max(0, this.#leftMs() - days * DAY_MS)
  }

  #leftMs(): number {
    return Date.parse(this.#first.notAfter) - this.#clock.wallMs()
  }

  get #first(): CertificateFacts {
    return this.#generation.certificates[0] as CertificateFacts
  }
}
