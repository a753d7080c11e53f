import type { ReloadEngine, ReloadEvents } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { ExpiryNotice } from '../api/status.js'
import type { EventHub } from '../base/event-hub.js'
import type { Logger } from '../base/logger.js'
import type { Snapshot } from '../generation/generation.js'
import type { PassReport } from '../reload/pass-report.js'
import { publishPass } from './channels.js'
import type { AutomaticChecks } from './checks.js'
import { withDated } from './current-warnings.js'
import type { Journal } from './journal.js'
import type { LifeWatch } from './life-watch.js'

/** What a settlement needs of its engine. */
export interface SettlementParts {
  readonly engine: ReloadEngine
  readonly journal: Journal
  readonly checks: AutomaticChecks
  readonly life: LifeWatch
  readonly events: EventHub<ReloadEvents>
  readonly logger: Logger
  readonly served: () => Snapshot
}

/**
 * What follows from each pass that ended: it is recorded, the next check is planned, listeners get the result, and the
 * lifetime of what is served from now on is watched.
 */
export class Settlement {
  readonly #parts: SettlementParts

  constructor(parts: SettlementParts) {
    this.#parts = parts
  }

  /** Settles the first load, which no listener can wait for. */
  begin(first: PassReport): void {
    this.#parts.journal.settle(first, this.#mayWait(first))
    this.#warnOfInterval()
    this.#parts.checks.plan()
  }

  /** @returns the final result: `rejected` becomes `waiting-for-pair` while the other half of a pair may still come. */
  settle(report: PassReport): ReloadResult {
    const { engine, journal, checks, events, life, served } = this.#parts
    const waits = this.#mayWait(report)
    const found =
      waits && report.result.outcome === 'rejected'
        ? Object.freeze({ ...report.result, outcome: 'waiting-for-pair' as const })
        : report.result
    // The journal logs what this pass found. What expires while it is served is logged once, when it expires.
    const recovery = journal.settle({ ...report, result: found }, waits)
    if (found.outcome === 'applied') life.watch(served())
    const result = withDated(found, life.warnings)
    checks.plan()
    events.emit('settled', result)
    if (result.outcome === 'unchanged' && result.trigger === 'timer') events.emit('checked', result)
    if (result.outcome === 'applied') events.emit('applied', result)
    if (result.outcome === 'rejected') events.emit('rejected', result)
    if (result.outcome === 'waiting-for-pair') events.emit('waiting', result)
    if (recovery) events.emit('recovered', recovery)
    publishPass(engine, result, recovery)
    if (result.outcome === 'applied') this.#warnOfInterval()
    return result
  }

  /** A dry run is counted and reported; it changes no state, plans no check and logs nothing. */
  settleDryRun(report: PassReport): ReloadResult {
    const result = withDated(report.result, this.#parts.life.warnings)
    this.#parts.journal.count(result)
    this.#parts.events.emit('settled', result)
    return result
  }

  /** Something that is served has passed a threshold before its end. */
  expiring(notice: ExpiryNotice): void {
    this.#parts.events.emit('expiring', notice)
    // The less time is left, the closer are the checks: after a step of the clock, the one that is planned may be too late.
    this.#parts.checks.plan()
  }

  /** Half of a pair is not a failure yet: the other half is most likely on its way. */
  #mayWait({ pairMismatch, result }: PassReport): boolean {
    const { journal, served } = this.#parts
    const graceMs = served().options.policy.pairGraceSeconds * 1000
    return pairMismatch && result.trigger !== 'update' && journal.mismatchMs() < graceMs
  }

  #warnOfInterval(): void {
    const { life, checks, logger } = this.#parts
    const { leftMs } = life
    const { intervalSeconds } = checks
    // What has expired was logged when it did, and would be again with each renewal of another host.
    if (intervalSeconds === 0 || leftMs <= 0 || intervalSeconds * 1000 < leftMs) return
    logger.warn(
      { autoReloadInterval: intervalSeconds, leftSeconds: Math.round(leftMs / 1000) },
      'something that is served expires within one reload interval; checking more often',
    )
  }
}
