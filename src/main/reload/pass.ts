import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { Generation, Trigger } from '../api/generation.js'
import type { MemberResult } from '../api/members.js'
import type { Outcome } from '../api/result.js'
import type { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import type { Snapshot } from '../generation/generation.js'
import type { GenerationContexts } from '../generation/generation-contexts.js'
import type { History } from '../generation/history.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { nextSnapshot } from '../prepare/next-snapshot.js'
import { discard, type Preparation, prepareMaterial, withPolicies } from '../prepare/preparation.js'
import type { Worker } from '../threads/pool.js'
import type { Fleet } from './fleet.js'
import type { HeldDelivery } from './material-feed.js'
import { failureReport, outcomeReport } from './outcome-report.js'
import type { PassOrder } from './pass-order.js'
import { firstLoadError, type PassReport, problemsOf } from './pass-report.js'
import { PhaseTimer } from './phase-timer.js'
import { type Candidate, stillRolledBack } from './rollback.js'
import type { Rollout } from './rollout.js'

export interface PassMode {
  readonly trigger: Trigger
  readonly force: boolean
  readonly dryRun: boolean
  /** New options, which take effect with the commit; absent for the current ones. */
  readonly options?: ResolvedOptions
}

/** Whether no caller waits for the pass. Such a pass leaves out what was rolled back. */
export function isAutomatic({ trigger }: Pick<PassMode, 'trigger'>): boolean {
  return trigger === 'timer' || trigger === 'source'
}

/** Parts of an engine that all its passes share. */
export interface PassParts {
  readonly serving: Serving
  readonly history: History
  readonly rollout: Rollout
  readonly order: PassOrder
  readonly worker: Worker
  readonly clock: Clock
  readonly fleet: () => Fleet
}

/**
 * One pass: PREPARE in a worker, then STAGE, COMMIT and VERIFY by the roll-out, then a report. Nothing in service changes
 * before COMMIT. Each object is used for one pass, which begins with its construction.
 */
export class Pass {
  readonly #mode: PassMode
  readonly #parts: PassParts
  readonly #number: number
  readonly #timer: PhaseTimer
  /** What this pass is about to serve. */
  #generation: Generation | null = null

  constructor(mode: PassMode, parts: PassParts) {
    this.#mode = mode
    this.#parts = parts
    this.#number = parts.order.begin()
    this.#timer = new PhaseTimer(parts.clock)
  }

  /** The first load, with nothing in service yet. @throws ReloadError with the code of the first problem. */
  async loadFirst(options: ResolvedOptions, delivery: HeldDelivery | null = null): Promise<PassReport> {
    const { serving, worker } = this.#parts
    const { requestCert } = options.peers
    const known = { records: null, trust: null, rolledBack: null, fileWarnings: [] }
    const found = await prepareMaterial(worker, options, {
      ...known,
      requestCert,
      force: false,
      fresh: false,
      delivery,
    })
    this.#timer.ended('prepare')
    if (!found.base || found.verdict === 'refused') {
      discard(found)
      throw firstLoadError(found.findings.problems)
    }
    try {
      const { snapshot, warnings } = await this.#next(found, null, options)
      const staged = serving.stage(snapshot, [options.peers], this.#timer.gauge)
      const first = await staged.catch((error: unknown) => {
        throw firstLoadError(problemsOf(error))
      })
      this.#timer.ended('stage')
      serving.begin(first)
      return this.#report('applied', found, warnings)
    } catch (error) {
      discard(found)
      throw error
    }
  }

  /**
   * Loads the material and serves what changed: the delivery of a source, and the files of the options. Rejects only with
   * `CLOSED`; every other failure is in the report.
   */
  async run(delivery: HeldDelivery | null = null): Promise<PassReport> {
    const base = this.#parts.serving.snapshot
    const options = this.#mode.options ?? base.options
    let found: Preparation
    try {
      found = await this.#prepare(base, options, delivery)
    } catch (error) {
      return this.#failure(error)
    }
    this.#timer.ended('prepare')
    let isApplied = false
    try {
      if (found.verdict !== 'prepared') return this.#keepServed(found, base)
      if (this.#mode.dryRun) return this.#report('validated', found)
      const report = await this.#apply(found, base, options)
      isApplied = report.result.outcome === 'applied'
      return report
    } finally {
      if (!isApplied && !this.#isServed) discard(found)
    }
  }

  /** Serves a kept generation. */
  async restore({ snapshot, facts, base, isKept }: Candidate): Promise<PassReport> {
    const next = { ...snapshot, generation: this.#numbered(facts), fileWarnings: base.fileWarnings }
    return await this.#serve(next, () => this.#isStale(base) || !isKept())
  }

  /** Whether nothing newer has been committed. */
  get isLatest(): boolean {
    return this.#parts.order.isLatest(this.#number)
  }

  async #prepare(
    base: Snapshot,
    options: ResolvedOptions,
    delivery: HeldDelivery | null,
  ): Promise<Preparation> {
    const { force, options: changed } = this.#mode
    const prepared = await prepareMaterial(this.#parts.worker, options, {
      ...{ records: base, trust: base.material.trust },
      rolledBack: isAutomatic(this.#mode) ? base.rolledBack : null,
      requestCert: this.#requestsCertificates(options),
      ...{ force, fresh: changed !== undefined, fileWarnings: base.fileWarnings, delivery },
    })
    return withPolicies(prepared, base.options, options)
  }

  /** Ends a pass that found nothing to serve, or nothing that can be served. */
  #keepServed(found: Preparation, base: Snapshot): PassReport {
    // Refused options may name other files.
    const fileWarnings = this.#mode.options ? base.fileWarnings : found.fileWarnings
    if (!this.#isStale(base))
      this.#parts.serving.moveRecords(found.newRecords, found.rolledBackRecord, fileWarnings)
    return this.#report(found.verdict === 'refused' ? 'rejected' : 'unchanged', found)
  }

  async #apply(found: Preparation, base: Snapshot, options: ResolvedOptions): Promise<PassReport> {
    if (this.#isStale(base)) return this.#superseded()
    const reuse = found.base ? null : this.#parts.serving.state.contexts
    const { snapshot, warnings } = await this.#next(found, base, options)
    this.#generation = snapshot.generation
    return await this.#serve(snapshot, () => this.#isStale(base), { found, warnings, reuse })
  }

  async #next(
    found: Preparation,
    before: Snapshot | null,
    options: ResolvedOptions,
  ): Promise<{ snapshot: Snapshot; warnings: readonly Problem[] }> {
    const { snapshot, facts, warnings } = await nextSnapshot(found, before, options, this.#timer.gauge)
    const generation = this.#numbered({ ...facts, restored: null })
    const rolledBack = before && isAutomatic(this.#mode) ? stillRolledBack(before, found) : null
    return { snapshot: { ...snapshot, generation, rolledBack }, warnings }
  }

  /** STAGE, COMMIT and VERIFY of a new or a kept generation. */
  async #serve(
    snapshot: Snapshot,
    isStale: () => boolean,
    { found, warnings = [], reuse = null }: Prepared = {},
  ): Promise<PassReport> {
    const { rollout, order } = this.#parts
    const timer = this.#timer
    try {
      const next = await rollout.stage(snapshot, { gauge: timer.gauge, reuse, force: this.#mode.force })
      timer.ended('stage')
      if (isStale()) {
        rollout.drop(next)
        return this.#superseded()
      }
      const { before, members: answers } = rollout.commit(next)
      order.committed(this.#number)
      timer.ended('commit')
      const members = await answers
      const verifyWarnings = await rollout.verify(next, before, found?.hosts?.hosts ?? [], timer)
      this.#retire(before)
      return this.#report('applied', found, [...warnings, ...verifyWarnings], members)
    } catch (error) {
      return this.#failure(error)
    }
  }

  #retire(before: Parameters<Rollout['retire']>[0]): void {
    const { history, order, rollout } = this.#parts
    history.keep(before.snapshot)
    if (order.isClosed) history.clear()
    rollout.retire(before)
  }

  /** Whether any server of this process or a member requests client certificates under these options. */
  #requestsCertificates(options: ResolvedOptions): boolean {
    const { serving, fleet } = this.#parts
    const policies = [...serving.policiesUnder(options), ...fleet().policies()]
    return policies.some(({ requestCert }) => requestCert)
  }

  #numbered(facts: Candidate['facts']): Generation {
    const { order, clock } = this.#parts
    const since = isoTime(clock.wallMs())
    return deepFreeze({ ...facts, number: order.nextGeneration(), since, trigger: this.#mode.trigger })
  }

  /** Whether its generation is in service. If the engine is closed during VERIFY, it is, although there is no report. */
  get #isServed(): boolean {
    return this.#parts.serving.snapshot.generation === this.#generation
  }

  /** Whether `base` is no longer served, or this pass must not commit. */
  #isStale(base: Snapshot): boolean {
    const { order, serving } = this.#parts
    return !order.mayCommit(this.#number) || base.generation !== serving.snapshot.generation
  }

  #superseded(): PassReport {
    const message = 'a newer generation was committed while this one was being prepared; this one was dropped'
    return this.#failure(new ReloadError('SUPERSEDED', message))
  }

  #failure(error: unknown): PassReport {
    const { order, serving, fleet } = this.#parts
    if (order.isClosed) throw new ReloadError('CLOSED', 'the reload engine was closed')
    const extra = { evictions: fleet().evictions(), overrides: serving.overrides.take() }
    return failureReport(serving.snapshot, this.#mode.trigger, this.#timer, error, extra)
  }

  #report(
    outcome: Outcome,
    found?: Preparation,
    warnings: readonly Problem[] = [],
    members: readonly MemberResult[] = [],
  ): PassReport {
    const { serving, fleet } = this.#parts
    const overrides = outcome === 'validated' ? serving.overrides.holding() : serving.overrides.take()
    return outcomeReport(serving.snapshot, outcome, this.#mode.trigger, this.#timer, {
      ...{ found, members, evictions: fleet().evictions() },
      warnings: [...warnings, ...overrides],
    })
  }

  /** The report of a pass whose source gave no material. @throws ReloadError `CLOSED` */
  withoutMaterial(problem: Problem): PassReport {
    this.#timer.ended('prepare')
    return this.#failure(new ReloadError(problem.code, problem.message, { problems: [problem] }))
  }

  /** The report of a pass that had nothing to load. */
  untouched(): PassReport {
    return this.#report('unchanged')
  }
}

/** The result of PREPARE; empty for a kept generation. */
interface Prepared {
  readonly found?: Preparation
  readonly warnings?: readonly Problem[]
  /** The contexts in service, if only hosts have changed. */
  readonly reuse?: GenerationContexts | null
}
