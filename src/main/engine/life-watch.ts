import type { Problem } from '../../workers/base/problem.js'
import { END_KINDS } from '../../workers/protocol/end-kinds.js'
import type { CurrentEnd, CurrentEnds, ExpiryNotice } from '../api/status.js'
import { type Clock, MAX_WALL_SLEEP_MS } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import type { Logger } from '../base/logger.js'
import { createTick, type Tick } from '../base/tick.js'
import type { Snapshot } from '../generation/generation.js'
import { runAtOnce, runInSlices } from '../generation/slices.js'
import { datedWarnings } from './current-warnings.js'
import { type DatedSet, hostSet, pairSet, trustSet } from './dated-set.js'
import { earlierEnds, endsAt } from './earliest-ends.js'
import { logChanges, logNotice, noticeOf } from './expiry-notice.js'
import { type Comparison, type OutOfDate, SetWatch } from './set-watch.js'
import { Thresholds } from './thresholds.js'

export interface LifeWatchParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly notify: (notice: ExpiryNotice) => void
  /** Whether notices are also logged. @defaultValue always */
  readonly isLogged?: () => boolean
}

/**
 * Watches the expiry of all served material: leaves, chains, trust anchors, revocation lists, and the certificates of SNI
 * hosts. It compares them with the wall clock at each request of the engine, and at least once a minute, because a timer is
 * not adjusted when the clock is set or the machine was suspended.
 */
export class LifeWatch {
  readonly #parts: LifeWatchParts
  readonly #pairs: SetWatch
  readonly #trust: SetWatch
  readonly #hosts: SetWatch
  readonly #tick: Tick
  #snapshot: Snapshot
  /** The expired and early items from which {@link #warnings} was made, by set. */
  #outOfDate: readonly OutOfDate[] = []
  #warnings: readonly Problem[] = []

  constructor(snapshot: Snapshot, parts: LifeWatchParts) {
    const { clock } = parts
    const thresholds = new Thresholds(snapshot.options.expiryWarningDays)
    const nowMs = clock.wallMs()
    this.#parts = parts
    this.#snapshot = snapshot
    this.#pairs = new SetWatch(thresholds, pairSet(snapshot), nowMs)
    this.#trust = new SetWatch(thresholds, trustSet(snapshot.material.trust.ends), nowMs)
    this.#hosts = new SetWatch(thresholds, hostSet(snapshot.hosts), nowMs)
    this.#tick = createTick({ clock, delayMs: () => this.#dueInMs(), check: () => this.#compare() })
    // Asynchronously, so that listeners can be added before the first report.
    this.#tick.plan()
  }

  /** Call for each snapshot that is put into service. */
  watch(snapshot: Snapshot): void {
    const before = this.#snapshot
    const nowMs = this.#parts.clock.wallMs()
    this.#snapshot = snapshot
    this.#pairs.replace(pairSet(snapshot), nowMs)
    if (snapshot.material.trust !== before.material.trust)
      this.#trust.replace(trustSet(snapshot.material.trust.ends), nowMs)
    if (snapshot.hosts !== before.hosts) this.#hosts.replace(hostSet(snapshot.hosts), nowMs)
    this.#tick.plan()
  }

  /** Warnings about served material that has expired or is not valid yet. The same object until that changes. */
  get warnings(): readonly Problem[] {
    const nowMs = this.#parts.clock.wallMs()
    const outOfDate = this.#sets.map((watch) => watch.outOfDateAt(nowMs))
    if (outOfDate.some((one, i) => one !== this.#outOfDate[i])) {
      this.#outOfDate = outOfDate
      this.#warnings = deepFreeze(
        this.#sets.flatMap(({ set }, i) => datedWarnings(set, outOfDate[i] as OutOfDate)),
      )
    }
    if (this.#dueInMs() === 0 && this.#tick.dueInMs() !== 0) this.#tick.plan()
    return this.#warnings
  }

  /** The first end of each kind. */
  get ends(): CurrentEnds {
    const ends = this.#sets.map((watch) => watch.ends).reduce(earlierEnds)
    return endsAt(ends, this.#parts.clock.wallMs())
  }

  /**
   * Milliseconds until the first end that requires a renewal; negative after it. An expired trust anchor or OCSP response does
   * not count, because the server can do without it.
   */
  get leftMs(): number {
    const { ends } = this
    const counted = Object.values(ends).filter(
      (end) => end !== null && !(end.expired && END_KINDS[end.kind].optional),
    ) as CurrentEnd[]
    return Math.min(...counted.map(({ notAfter }) => Date.parse(notAfter))) - this.#parts.clock.wallMs()
  }

  stop(): void {
    this.#tick.stop()
  }

  get #sets(): readonly SetWatch[] {
    return [this.#pairs, this.#trust, this.#hosts]
  }

  /** Finds and reports the thresholds that have been passed. */
  async #compare(): Promise<void> {
    const nowMs = this.#parts.clock.wallMs()
    for (const watch of this.#sets) {
      if (watch.dueInMs(nowMs) > 0) continue
      const { set } = watch
      const comparing = watch.compare(nowMs)
      // Ten thousand hosts would block the event loop; for a few ends, slices would cost more than the comparison.
      const found = isLong(set) ? await runInSlices(comparing, { longestMs: 0 }) : runAtOnce(comparing)
      if (found) this.#report(found, watch.thresholds, nowMs)
    }
  }

  #report(found: Comparison, thresholds: Thresholds, nowMs: number): void {
    const { logger, notify, isLogged = () => true } = this.#parts
    const { number } = this.#snapshot.generation
    for (const passed of found.passed) {
      const notice = noticeOf(passed, found.set, thresholds, number, nowMs)
      if (isLogged()) logNotice(logger, notice)
      notify(notice)
    }
    if (isLogged()) logChanges(logger, number, found)
  }

  #dueInMs(): number {
    const nowMs = this.#parts.clock.wallMs()
    return Math.min(MAX_WALL_SLEEP_MS, ...this.#sets.map((watch) => watch.dueInMs(nowMs)))
  }
}

function isLong({ dates }: DatedSet): boolean {
  return dates.length > 2_000
}
