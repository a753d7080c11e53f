import type { Problem } from '../../workers/problem.js'
import { type Clock, LONGEST_WALL_SLEEP_MS } from '../clock.js'
import type { Snapshot } from '../generation/generation.js'
import { createTick, type Tick } from '../tick.js'
import { hostSet, pairSet, trustSet } from './dated-set.js'
import { type CurrentEnds, earlierEnds, endsAt } from './earliest-ends.js'
import { expiredWarnings } from './expired-warnings.js'
import { type ExpiryNotice, logNotice, logRecovery, noticeOf } from './expiry-notice.js'
import type { Logger } from './logger.js'
import { SetWatch } from './set-watch.js'
import { Thresholds } from './thresholds.js'

/** What a watch needs of its engine. */
export interface LifeWatchParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly notify: (notice: ExpiryNotice) => void
  /** Whether there are log lines beside the notices; absent for always. */
  readonly isLogged?: () => boolean
}

/**
 * Watches the ends of everything that is served: leaves, chains, trust anchors, revocation lists, and the certificates of SNI
 * hosts. It compares them with the wall clock whenever the engine asks, and at least once a minute, because a timer does not
 * notice that this clock was set or that the machine was suspended.
 */
export class LifeWatch {
  readonly #parts: LifeWatchParts
  readonly #pairs: SetWatch
  readonly #trust: SetWatch
  readonly #hosts: SetWatch
  readonly #tick: Tick
  #snapshot: Snapshot
  #warnings: readonly Problem[] = []
  /** Reports of what was found. They are made by a timer: listeners can be added until then. */
  readonly #reports: (() => void)[] = []

  constructor(snapshot: Snapshot, parts: LifeWatchParts) {
    const { clock } = parts
    const thresholds = new Thresholds(snapshot.options.expiryWarningDays)
    const nowMs = clock.wallMs()
    this.#parts = parts
    this.#snapshot = snapshot
    this.#pairs = new SetWatch(thresholds, pairSet(snapshot), nowMs)
    this.#trust = new SetWatch(thresholds, trustSet(snapshot.material.trust.ends), nowMs)
    this.#hosts = new SetWatch(thresholds, hostSet(snapshot.hosts), nowMs)
    this.#tick = createTick({
      clock,
      delayMs: () => this.#untilNextMs(),
      check: async () => this.#report(),
    })
    this.#compare()
    this.#tick.plan()
  }

  /** From now on, this is served. */
  watch(snapshot: Snapshot): void {
    const before = this.#snapshot
    const nowMs = this.#parts.clock.wallMs()
    this.#snapshot = snapshot
    this.#pairs.replace(pairSet(snapshot), nowMs)
    if (snapshot.material.trust !== before.material.trust)
      this.#trust.replace(trustSet(snapshot.material.trust.ends), nowMs)
    if (snapshot.hosts !== before.hosts) this.#hosts.replace(hostSet(snapshot.hosts), nowMs)
    this.#compare()
    this.#tick.plan()
  }

  /** Warnings about what is served and has expired; the same object until that changes. */
  get warnings(): readonly Problem[] {
    if (this.#compare()) this.#tick.plan()
    return this.#warnings
  }

  /** The first end of each kind. */
  get ends(): CurrentEnds {
    const ends = this.#sets.map((watch) => watch.ends).reduce(earlierEnds)
    return endsAt(ends, this.#parts.clock.wallMs())
  }

  /**
   * Milliseconds until the first end for which new files have to come; negative after it. An expired trust anchor does not
   * count: nothing has to come for it.
   */
  get leftMs(): number {
    const { leaf, chain, ca, crl } = this.ends
    const counted = [leaf, chain, crl, ...(ca && ca.leftMs > 0 ? [ca] : [])]
    return Math.min(...counted.map((end) => end?.leftMs ?? Number.POSITIVE_INFINITY))
  }

  stop(): void {
    this.#tick.stop()
  }

  get #sets(): readonly SetWatch[] {
    return [this.#pairs, this.#trust, this.#hosts]
  }

  /** Returns whether there is anything to report. */
  #compare(): boolean {
    const { clock, logger, notify, isLogged = () => true } = this.#parts
    const nowMs = clock.wallMs()
    const { number } = this.#snapshot.generation
    let compared = false
    for (const watch of this.#sets) {
      const found = watch.compare(nowMs)
      if (!found) continue
      compared = true
      for (const passed of found.passed) {
        const notice = noticeOf(passed, watch, number, nowMs)
        this.#reports.push(() => {
          if (isLogged()) logNotice(logger, notice)
          notify(notice)
        })
      }
      if (found.recovered.length > 0)
        this.#reports.push(() => {
          if (isLogged()) logRecovery(logger, number, found)
        })
    }
    if (compared) this.#warnings = expiredWarnings(this.#sets)
    return this.#reports.length > 0
  }

  #report(): void {
    this.#compare()
    // One at a time: if a logger throws, the others are still reported at the next turn.
    for (let report = this.#reports.shift(); report; report = this.#reports.shift()) report()
  }

  #untilNextMs(): number {
    if (this.#reports.length > 0) return 0
    const dueMs = Math.min(...this.#sets.map((watch) => watch.dueMs))
    return Math.min(LONGEST_WALL_SLEEP_MS, Math.max(0, dueMs - this.#parts.clock.wallMs()))
  }
}
