import type { ReloadEngine, ReloadEvents } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { ExpiryNotice } from '../api/status.js'
import type { EventHub } from '../base/event-hub.js'
import type { Logger } from '../base/logger.js'
import type { Snapshot } from '../generation/generation.js'
import { Renewals } from '../generation/renewals.js'
import type { PassReport } from '../reload/pass-report.js'
import { publishPass } from './channels.js'
import type { AutomaticChecks } from './checks.js'
import { withDated } from './current-warnings.js'
import type { Journal } from './journal.js'
import type { LifeWatch } from './life-watch.js'

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
 * Processes the end of each pass: records it, plans the next check, passes the result to listeners, and watches the expiry of
 * a new generation.
 */
export class Settlement {
  readonly #parts: SettlementParts
  readonly #renewals = new Renewals()

  constructor(parts: SettlementParts) {
    this.#parts = parts
  }

  /** Settles the first load, at which there are no listeners yet. */
  begin(first: PassReport): void {
    this.#renewals.next(this.#parts.served())
    this.#parts.journal.settle(first, this.#mayWait(first))
    this.#warnOfInterval()
    this.#parts.checks.plan()
  }

  /** @returns the final result: `rejected` becomes `waiting-for-pair` while the other half of a pair may still be written. */
  settle(report: PassReport): ReloadResult {
    const { engine, journal, checks, events, life, served } = this.#parts
    const waits = this.#mayWait(report)
    const found =
      waits && report.result.outcome === 'rejected'
        ? Object.freeze({ ...report.result, outcome: 'waiting-for-pair' as const })
        : report.result
    // The journal logs the findings of this pass. An expiry in service is logged once, when it happens.
    const recovery = journal.settle({ ...report, result: found }, waits)
    if (found.outcome === 'applied') life.watch(served())
    const result = withDated(found, life.warnings)
    checks.plan()
    events.emit('settled', result)
    if (result.outcome === 'unchanged' && result.trigger === 'timer') events.emit('checked', result)
    if (result.outcome === 'applied') {
      events.emit('applied', result)
      const renewal = this.#renewals.next(served())
      if (renewal) events.emit('renewed', renewal)
    }
    if (result.outcome === 'rejected') events.emit('rejected', result)
    if (result.outcome === 'waiting-for-pair') events.emit('waiting', result)
    if (recovery) events.emit('recovered', recovery)
    publishPass(engine, result, recovery)
    if (result.outcome === 'applied') this.#warnOfInterval()
    return result
  }

  /** A dry run is only counted and reported: it changes no state, plans no check and is not logged. */
  settleDryRun(report: PassReport): ReloadResult {
    const result = withDated(report.result, this.#parts.life.warnings)
    this.#parts.journal.count(result)
    this.#parts.events.emit('settled', result)
    return result
  }

  /** Emits an expiry notice and plans the next check. */
  expiring(notice: ExpiryNotice): void {
    this.#parts.events.emit('expiring', notice)
    // Checks are more frequent near an expiry; after a step of the clock, the planned one may be too late.
    this.#parts.checks.plan()
  }

  /** Half of a pair is not a failure yet: the other half is probably being written. */
  #mayWait({ pairMismatch, result }: PassReport): boolean {
    const { journal, served } = this.#parts
    const graceMs = served().options.policy.pairGraceSeconds * 1000
    return pairMismatch && result.trigger !== 'update' && journal.mismatchMs() < graceMs
  }

  #warnOfInterval(): void {
    const { life, checks, logger } = this.#parts
    const { leftMs } = life
    const { intervalSeconds } = checks
    // An expiry was logged when it happened, and would be logged again at each renewal of another host.
    if (intervalSeconds === 0 || leftMs <= 0 || intervalSeconds * 1000 < leftMs) return
    logger.warn(
      { autoReloadInterval: intervalSeconds, leftSeconds: Math.round(leftMs / 1000) },
      'served material expires within one reload interval; checking more often',
    )
  }
}
