import type { CertificateFacts } from '../../workers/protocol.js'
import type { Clock } from '../clock.js'
import { createTick, type Tick } from '../tick.js'
import type { Logger } from './logger.js'

/** A served certificate comes near its end, or has reached it: the default one, or of all hosts the one that ends first. */
export interface ExpiryNotice {
  readonly generation: number
  /** The SNI host; absent for the default certificate. */
  readonly host?: string
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

/** What is watched: a certificate, and the host that it is of. */
type Subject = Pick<CertificateFacts, 'fingerprint256' | 'notBefore' | 'notAfter'> & { readonly id?: string }

/** Says once for each certificate and threshold that the end comes near. */
export class ExpiryWatch {
  readonly #thresholdsDays: readonly number[]
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #notify: (notice: ExpiryNotice) => void
  readonly #tick: Tick
  #generation = 0
  #subject: Subject | null = null
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

  watch(generation: number, subject: Subject | null): void {
    this.#generation = generation
    if (subject?.fingerprint256 === this.#subject?.fingerprint256) return
    this.#subject = subject
    this.#ahead = subject === null ? [] : this.#thresholdsOf(subject)
    // What has passed already is told by a timer too: whoever makes the engine can listen by then.
    this.#tick.plan()
  }

  stop(): void {
    this.#tick.stop()
  }

  #thresholdsOf({ notBefore, notAfter }: Subject): number[] {
    const lifeDays = (Date.parse(notAfter) - Date.parse(notBefore)) / DAY_MS
    // A certificate that lives a month is not near its end in its first days.
    const meant = this.#thresholdsDays.filter((days) => days <= lifeDays * LATE_PART)
    return [...new Set([...meant, 0])].sort((a, b) => b - a)
  }

  /** Of several thresholds that have been passed, only the last is worth a word. */
  #tellPassed(): void {
    if (!this.#subject) return
    const leftMs = this.#leftMs(this.#subject)
    const passed = this.#ahead.filter((days) => leftMs <= days * DAY_MS)
    const thresholdDays = passed.at(-1)
    if (thresholdDays === undefined) return
    this.#ahead = this.#ahead.slice(passed.length)
    const { id, fingerprint256, notAfter } = this.#subject
    const host = id === undefined ? {} : { host: id }
    const notice = { generation: this.#generation, ...host, fingerprint256, notAfter, thresholdDays, leftMs }
    if (leftMs <= 0) this.#logger.error(notice, 'the served certificate has expired; clients refuse it')
    else this.#logger.warn(notice, 'the served certificate expires soon')
    this.#notify(Object.freeze(notice))
  }

  #untilNextMs(): number | null {
    const [days] = this.#ahead
    return days === undefined || !this.#subject
      ? null
      : Math.max(0, this.#leftMs(this.#subject) - days * DAY_MS)
  }

  #leftMs({ notAfter }: Subject): number {
    return Date.parse(notAfter) - this.#clock.wallMs()
  }
}
