import { isoTime } from '../../workers/iso-time.js'
import type { Problem } from '../../workers/protocol/problem.js'
import type { Trigger } from '../api/generation.js'
import type { MemberResult } from '../api/members.js'
import type { RollbackOptions } from '../api/reload-engine.js'
import type { Outcome, ReloadResult } from '../api/result.js'
import type { ServedState } from '../attach/served-state.js'
import { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import type { ContextBook } from '../generation/context-book.js'
import type { Snapshot } from '../generation/generation.js'
import { History } from '../generation/history.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { type GenerationFacts, nextSnapshot } from '../prepare/next-snapshot.js'
import { discard, type Preparation, prepareMaterial, withPolicies } from '../prepare/preparation.js'
import type { Preparer } from '../threads/pool.js'
import { type Followers, NOBODY } from './followers.js'
import { failureReport, outcomeReport } from './outcome-report.js'
import { firstLoadError, type PassReport, problemsOf } from './pass-report.js'
import { PassWatch } from './phase-timer.js'
import { rollBack, stillRolledBack } from './rollback.js'
import { Rollout } from './rollout.js'

/** What a pass may do beyond the usual. */
export interface PassMode {
  readonly trigger: Trigger
  readonly force: boolean
  readonly dryRun: boolean
  /** Options to load by, which are in force from the commit on; absent for the current ones. */
  readonly options?: ResolvedOptions
}

/**
 * Takes material through the two phases: PREPARE in a worker, then a roll-out. Until COMMIT nothing in service has changed.
 */
export class Reloader {
  readonly serving: Serving
  readonly history: History
  /** Processes and threads that serve what is prepared here. */
  followers: Followers = NOBODY
  readonly #preparer: Preparer
  readonly #clock: Clock
  readonly #rollout: Rollout
  #lastNumber = 0
  /** Number of the latest pass that began, and of the latest that was committed: an older one may not follow it. */
  #begun = 0
  #committed = 0
  #loaded = false
  #closed = false

  constructor(options: ResolvedOptions, preparer: Preparer, clock: Clock) {
    this.#preparer = preparer
    this.#clock = clock
    this.serving = new Serving(options, clock)
    const { serving } = this
    this.#rollout = new Rollout({ serving, followers: () => this.followers, preparer, clock })
    this.history = new History(options.historySize, () => this.served)
  }

  get served(): Snapshot {
    return this.serving.snapshot
  }

  /** @throws ReloadError with the code of the first problem, when the material cannot be served. */
  async loadFirst(options: ResolvedOptions): Promise<PassReport> {
    const watch = new PassWatch(this.#clock)
    const { requestCert } = options.peers
    const known = { records: null, trust: null, held: null, fileWarnings: [] }
    const mode = { ...known, requestCert, force: false, fresh: false }
    const found = await prepareMaterial(this.#preparer, options, mode)
    watch.ended('prepare')
    if (!found.base || found.verdict === 'refused') {
      discard(found)
      throw firstLoadError(found.findings.problems)
    }
    const { snapshot, warnings } = await this.#next(found, 'start', null, options, watch)
    const staged = this.serving.stage(snapshot, [options.peers], watch.gauge)
    const first = await staged.catch((error: unknown) => {
      throw firstLoadError(problemsOf(error))
    })
    watch.ended('stage')
    this.serving.begin(first)
    this.#loaded = true
    return this.#report('applied', 'start', watch, found, warnings)
  }

  /** One pass over the files. Never rejects but with `CLOSED`: what goes wrong is in the report. */
  async pass(mode: PassMode): Promise<PassReport> {
    const number = ++this.#begun
    const watch = new PassWatch(this.#clock)
    const base = this.served
    let found: Preparation
    try {
      const options = mode.options ?? base.options
      const prepared = await prepareMaterial(this.#preparer, options, {
        ...{ records: base, trust: base.material.trust },
        held: mode.trigger === 'tick' ? base.rolledBack : null,
        requestCert: this.#requestsCertificates(options),
        force: mode.force,
        fresh: mode.options !== undefined,
        fileWarnings: base.fileWarnings,
      })
      found = withPolicies(prepared, base.options, options)
    } catch (error) {
      return this.#failure(error, mode, watch)
    }
    watch.ended('prepare')
    if (found.verdict !== 'prepared') {
      discard(found)
      // Options that are refused may name other files.
      const fileWarnings = mode.options ? base.fileWarnings : found.fileWarnings
      if (!this.#isStale(number, base)) {
        this.serving.moveRecords(found.moved, found.heldRecord, fileWarnings)
      }
      const outcome = found.verdict === 'refused' ? 'rejected' : 'unchanged'
      return this.#report(outcome, mode.trigger, watch, found)
    }
    if (mode.dryRun) {
      discard(found)
      return this.#report('validated', mode.trigger, watch, found)
    }
    return await this.#apply(found, base, number, mode, watch)
  }

  /**
   * Serves a kept generation again; overtakes a pass that is being prepared.
   *
   * @throws ReloadError `GENERATION_UNKNOWN`, `OPTIONS_INVALID` or `CLOSED`.
   */
  async rollback(options: RollbackOptions): Promise<PassReport> {
    const number = ++this.#begun
    const watch = new PassWatch(this.#clock)
    const mode: PassMode = { trigger: 'rollback', force: false, dryRun: false }
    return await rollBack(options, {
      history: this.history,
      served: () => this.served,
      serve: async ({ snapshot, facts }, base, isKept) => {
        this.assertAnchorsConfigured(snapshot.options)
        const { fileWarnings } = base
        const next = { ...snapshot, generation: this.#number(facts, 'rollback'), fileWarnings }
        const isStale = () => this.#isStale(number, base) || !isKept()
        return await this.#serve(next, { number, isStale, mode, watch, reuse: null })
      },
      mayFollow: () => number > this.#committed,
    })
  }

  /**
   * Checks options before anything is loaded by them.
   *
   * @throws ReloadError `OPTIONS_INVALID` when they leave a server that requests client certificates without anchors.
   */
  assertAnchorsConfigured(options: ResolvedOptions): void {
    this.serving.assertAnchorsConfigured(options, this.followers.policies())
  }

  /** The result of a request that had nothing to load. */
  untouched(trigger: Trigger): ReloadResult {
    return this.#report('unchanged', trigger, new PassWatch(this.#clock)).result
  }

  /** Servers keep what they serve; the keys are overwritten. */
  close(): void {
    this.#closed = true
    this.followers.close()
    if (this.#loaded) this.history.clear()
    this.serving.close()
  }

  async #apply(
    found: Preparation,
    base: Snapshot,
    number: number,
    mode: PassMode,
    watch: PassWatch,
  ): Promise<PassReport> {
    // What was prepared is relative to the generation that was served when the pass began.
    const isStale = () => this.#isStale(number, base)
    if (isStale()) {
      discard(found)
      return this.#superseded(mode, watch)
    }
    const reuse = found.base ? null : this.serving.state.contexts
    const options = mode.options ?? base.options
    const { snapshot, warnings } = await this.#next(found, mode.trigger, base, options, watch)
    const report = await this.#serve(snapshot, { number, isStale, mode, watch, reuse }, found, warnings)
    if (report.result.outcome !== 'applied') discard(found)
    return report
  }

  async #next(
    found: Preparation,
    trigger: Trigger,
    before: Snapshot | null,
    options: ResolvedOptions,
    watch: PassWatch,
  ): Promise<{ snapshot: Snapshot; warnings: readonly Problem[] }> {
    const { snapshot, facts, warnings } = await nextSnapshot(found, before, options, watch.gauge)
    const generation = this.#number({ ...facts, restored: null }, trigger)
    const rolledBack = before && trigger === 'tick' ? stillRolledBack(before, found) : null
    return { snapshot: { ...snapshot, generation, rolledBack }, warnings }
  }

  /** STAGE, COMMIT and VERIFY: the way of every generation, whether it was prepared just now or kept. */
  async #serve(
    snapshot: Snapshot,
    { number, isStale, mode, watch, reuse }: ServeMode,
    found?: Preparation,
    warnings: readonly Problem[] = [],
  ): Promise<PassReport> {
    try {
      const next = await this.#rollout.stage(snapshot, { gauge: watch.gauge, reuse, force: mode.force })
      watch.ended('stage')
      if (isStale()) {
        this.#rollout.drop(next)
        return this.#superseded(mode, watch)
      }
      const { before, members: answers } = this.#rollout.commit(next)
      this.#committed = number
      watch.ended('commit')
      const members = await answers
      const unseen = await this.#rollout.verify(next, before, found?.hosts?.hosts ?? [], watch)
      this.#retire(before)
      return this.#report('applied', mode.trigger, watch, found, [...warnings, ...unseen], members)
    } catch (error) {
      return this.#failure(error, mode, watch)
    }
  }

  /** Whether anything that serves under these options, here or in a member, requests client certificates. */
  #requestsCertificates(options: ResolvedOptions): boolean {
    const policies = [...this.serving.policiesUnder(options), ...this.followers.policies()]
    return policies.some(({ requestCert }) => requestCert)
  }

  #retire(before: ServedState): void {
    this.history.keep(before.snapshot)
    if (this.#closed) this.history.clear()
    this.#rollout.retire(before)
  }

  #number(
    facts: GenerationFacts & Pick<Snapshot['generation'], 'restored'>,
    trigger: Trigger,
  ): Snapshot['generation'] {
    const since = isoTime(this.#clock.wallMs())
    return deepFreeze({ ...facts, number: ++this.#lastNumber, since, trigger })
  }

  /** `base` is what was served when a pass began: its reply is relative to that, and to nothing that came since. */
  #isStale(number: number, base = this.served): boolean {
    const overtaken = base.generation !== this.served.generation
    return this.#closed || number < this.#committed || overtaken
  }

  #superseded(mode: PassMode, watch: PassWatch): PassReport {
    const message = 'something newer was committed while this was being prepared; it was dropped'
    return this.#failure(new ReloadError('SUPERSEDED', message), mode, watch)
  }

  #failure(error: unknown, { trigger }: PassMode, watch: PassWatch): PassReport {
    if (this.#closed) throw new ReloadError('CLOSED', 'the reload engine was closed')
    const extra = { left: this.followers.leftBehind(), overrides: this.serving.overrides.take() }
    return failureReport(this.served, trigger, watch, error, extra)
  }

  #report(
    outcome: Outcome,
    trigger: Trigger,
    watch: PassWatch,
    found?: Preparation,
    warnings: readonly Problem[] = [],
    members: readonly MemberResult[] = [],
  ): PassReport {
    const { overrides } = this.serving
    const changed = outcome === 'validated' ? overrides.holding() : overrides.take()
    return outcomeReport(this.served, outcome, trigger, watch, {
      ...{ found, members, left: this.followers.leftBehind() },
      warnings: [...warnings, ...changed],
    })
  }
}

/** What `#serve` needs to know of the pass beside what is to be served. */
interface ServeMode {
  readonly number: number
  readonly isStale: () => boolean
  readonly mode: PassMode
  readonly watch: PassWatch
  /** The contexts that serve, where only hosts have changed. */
  readonly reuse: ContextBook | null
}
