import type { Trigger } from '../api/generation.js'
import type { RollbackOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import type { Snapshot } from '../generation/generation.js'
import { History } from '../generation/history.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import type { Worker } from '../threads/pool.js'
import { loadFirstFrom, passOver } from './fed-pass.js'
import { type Fleet, NO_FLEET } from './fleet.js'
import type { MaterialFeed } from './material-feed.js'
import { Pass, type PassMode, type PassParts } from './pass.js'
import { PassOrder } from './pass-order.js'
import type { PassReport } from './pass-report.js'
import { rollBack } from './rollback.js'
import { Rollout } from './rollout.js'

/** Runs the passes of one engine, and holds what they serve and the generations kept for a rollback. */
export class Reloader {
  readonly serving: Serving
  readonly history: History
  fleet: Fleet = NO_FLEET
  readonly #order = new PassOrder()
  readonly #parts: PassParts
  /** `null` with files. */
  readonly #feed: MaterialFeed | null
  #isLoaded = false

  constructor(options: ResolvedOptions, worker: Worker, clock: Clock, feed: MaterialFeed | null = null) {
    this.#feed = feed
    this.serving = new Serving(options, clock)
    this.history = new History(options.historySize, () => this.served)
    const { serving, history } = this
    const fleet = () => this.fleet
    const rollout = new Rollout({ serving, fleet, worker, clock })
    this.#parts = { serving, history, rollout, order: this.#order, worker, clock, fleet }
  }

  get served(): Snapshot {
    return this.serving.snapshot
  }

  /** @throws ReloadError with the code of the first problem, when the material cannot be served. */
  async loadFirst(options: ResolvedOptions): Promise<PassReport> {
    const pass = this.#begin({ trigger: 'start', force: false, dryRun: false })
    const report = await (this.#feed ? loadFirstFrom(this.#feed, pass, options) : pass.loadFirst(options))
    this.#isLoaded = true
    return report
  }

  /** Runs one pass over the material. Rejects only with `CLOSED`; every other failure is in the report. */
  async pass(mode: PassMode): Promise<PassReport> {
    const pass = this.#begin(mode)
    return await (this.#feed ? passOver(this.#feed, pass, mode, this.served) : pass.run())
  }

  /**
   * Serves a kept generation again. A pass that is being prepared at that time is superseded.
   *
   * @throws ReloadError `GENERATION_UNKNOWN`, `OPTIONS_INVALID` or `CLOSED`.
   */
  async rollback(options: RollbackOptions): Promise<PassReport> {
    const pass = this.#begin({ trigger: 'rollback', force: false, dryRun: false })
    return await rollBack(options, {
      history: this.history,
      served: () => this.served,
      serve: (candidate) => {
        this.assertAnchorsConfigured(candidate.snapshot.options)
        return pass.restore(candidate)
      },
      mayFollow: () => pass.isLatest,
    })
  }

  /**
   * Checks options before anything is loaded with them.
   *
   * @throws ReloadError `OPTIONS_INVALID` when they leave a server that requests client certificates without anchors.
   */
  assertAnchorsConfigured(options: ResolvedOptions): void {
    this.serving.assertAnchorsConfigured(options, this.fleet.policies())
  }

  /** The result of a request that had nothing to load. */
  untouched(trigger: Trigger): ReloadResult {
    return this.#begin({ trigger, force: false, dryRun: false }).untouched().result
  }

  /** Servers keep their certificates in service; the engine's copies of the keys are overwritten. */
  close(): void {
    this.#order.close()
    this.fleet.close()
    if (this.#isLoaded) this.history.clear()
    this.serving.close()
  }

  #begin(mode: PassMode): Pass {
    return new Pass(mode, this.#parts)
  }
}
