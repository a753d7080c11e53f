import type tls from 'node:tls'

import type { Problem } from '../workers/problem.js'
import type { PreparedReply, PrepareReply } from '../workers/protocol.js'
import { ConnectionLedger } from './attach/connection-ledger.js'
import type { ClientIdentity } from './attach/renewing-agent.js'
import { type Detach, type ServedState, ServerBook } from './attach/server-book.js'
import { verifyTargets } from './attach/verify-targets.js'
import type { Clock } from './clock.js'
import { deepFreeze } from './deep-freeze.js'
import { ReloadError } from './errors.js'
import { ContextBook } from './generation/context-book.js'
import { type Snapshot, type Trigger, wipeKeys } from './generation/generation.js'
import { History } from './generation/history.js'
import { SpareShelf } from './generation/spare-shelf.js'
import { TicketKeys } from './generation/ticket-keys.js'
import type { PeerPolicy } from './generation/trust-identity.js'
import { firstLoadError, type PassFindings, type PassReport, problemsOf, resultOf } from './pass-report.js'
import { PassWatch } from './pass-watch.js'
import type { Preparer } from './pool.js'
import type { ResolvedOptions } from './resolve-options.js'
import type { Outcome, ReloadResult } from './result.js'

/** What a pass may do beyond the usual. */
export interface PassMode {
  readonly trigger: Trigger
  readonly force: boolean
  readonly dryRun: boolean
  /** Options to load by, and to hold from the commit on; absent for those of now. */
  readonly options?: ResolvedOptions
}

/**
 * Takes material through the two phases: PREPARE in a worker; STAGE, COMMIT and VERIFY here. Holds what is served, and
 * until COMMIT changes none of it.
 */
export class Reloader {
  readonly servers: ServerBook
  readonly ledger: ConnectionLedger
  readonly history: History
  readonly #preparer: Preparer
  readonly #clock: Clock
  readonly #tickets: TicketKeys
  readonly #spares: SpareShelf
  readonly #pinned = new WeakSet<tls.SecureContext>()
  #served!: ServedState
  /** What was rolled away from; the timer leaves it alone for as long as the files say nothing else. */
  #held: Uint8Array | null = null
  #hasClients = false
  #lastNumber = 0
  /** Number of the latest pass that began, and of the latest that was committed: an older one may not follow it. */
  #begun = 0
  #committed = 0
  #closed = false

  constructor(options: ResolvedOptions, preparer: Preparer, clock: Clock) {
    this.#preparer = preparer
    this.#clock = clock
    this.history = new History(options.historySize)
    this.ledger = new ConnectionLedger(() => this.#served.snapshot.generation.number)
    this.servers = new ServerBook(this.#pinned, this.ledger)
    this.#spares = new SpareShelf(clock)
    this.#tickets = new TicketKeys(options.tickets.rotateHours, clock, () => this.#rotateTickets())
  }

  get served(): Snapshot {
    return this.#served.snapshot
  }

  /** @throws ReloadError with the code of the first problem, when the material cannot be served. */
  async loadFirst(options: ResolvedOptions): Promise<ReloadResult> {
    const watch = new PassWatch(this.#clock)
    const mode: PassMode = { trigger: 'start', force: false, dryRun: false, options }
    const reply = await this.#prepare(null, mode, options)
    watch.ended('prepare')
    if (reply.kind !== 'prepared') throw firstLoadError(reply.kind === 'refused' ? reply.problems : [])
    const snapshot = this.#snapshot(reply, mode, options)
    const contexts = await this.#stage(snapshot, [options.peers], watch).catch((error: unknown) => {
      throw firstLoadError(problemsOf(error))
    })
    watch.ended('stage')
    this.#served = { snapshot, contexts }
    this.#stockSpares()
    return this.#report('applied', 'start', watch, reply).result
  }

  /** One pass over the files. Never rejects but with `CLOSED`: what goes wrong is in the report. */
  async pass(mode: PassMode): Promise<PassReport> {
    const number = ++this.#begun
    const watch = new PassWatch(this.#clock)
    const base = this.#served.snapshot
    let reply: PrepareReply
    try {
      reply = await this.#prepare(base.record, mode, mode.options ?? base.options)
    } catch (error) {
      return this.#failure(error, mode, watch)
    }
    watch.ended('prepare')
    if (reply.kind === 'refused') {
      const { pairMismatch, state } = reply
      return { ...this.#report('rejected', mode.trigger, watch, reply), pairMismatch, state }
    }
    if (reply.kind === 'unchanged') {
      if (reply.record && !this.#isStale(number, base)) this.#moveRecord(reply.record)
      return this.#report('unchanged', mode.trigger, watch)
    }
    if (mode.dryRun) {
      wipeKeys(reply.material.pairs)
      return this.#report('validated', mode.trigger, watch, reply)
    }
    return await this.#apply(reply, base, number, mode, watch)
  }

  /**
   * Goes back to a kept generation; overtakes a pass that is being prepared.
   *
   * @throws ReloadError `GENERATION_UNKNOWN` or `CLOSED`.
   */
  async rollback(wanted: number | undefined): Promise<PassReport> {
    const number = ++this.#begun
    const watch = new PassWatch(this.#clock)
    const mode: PassMode = { trigger: 'rollback', force: false, dryRun: false }
    const target = wanted === undefined ? this.history.snapshots[0] : this.history.find(wanted)
    if (!target) throw this.history.unknown(wanted)
    const { generation, ...kept } = target
    const held = this.#served.snapshot.record
    const next = {
      ...kept,
      generation: this.#number({ ...generation, restored: generation.number }, 'rollback'),
    }
    const report = await this.#serve(next, number, () => this.#isStale(number), mode, watch)
    if (report.result.outcome === 'applied') this.#held = held
    return report
  }

  /** The result of a request that had nothing to load. */
  untouched(trigger: Trigger): ReloadResult {
    return this.#report('unchanged', trigger, new PassWatch(this.#clock)).result
  }

  optionsFor(peers: PeerPolicy): tls.SecureContextOptions {
    return this.#served.contexts.optionsFor(peers)
  }

  /** The context of outgoing connections; once it was asked for, each generation has one ready. */
  clientIdentity(): ClientIdentity {
    this.#hasClients = true
    const { snapshot, contexts } = this.#served
    return { generation: snapshot.generation.number, secureContext: contexts.clientContext() }
  }

  attach(server: tls.Server): Detach {
    const detach = this.servers.attach(server, () => this.#served)
    this.#stockSpares()
    return detach
  }

  /** Lets the servers go on with what they have, and forgets the keys. */
  close(): void {
    this.#closed = true
    this.servers.detachAll()
    this.#spares.clear()
    this.#tickets.stop()
    this.history.clear()
    if (this.#served) wipeKeys(this.#served.snapshot.material.pairs)
  }

  #prepare(record: Uint8Array | null, mode: PassMode, options: ResolvedOptions): Promise<PrepareReply> {
    const { sources, context, peers, policy, worker } = options
    return this.#preparer.prepare({
      sources,
      limits: { maxFileBytes: worker.maxFileBytes, maxTrustBytes: worker.maxFileBytes * TRUST_FACTOR },
      context,
      requestCert: peers.requestCert,
      policy,
      force: mode.force,
      record,
      held: mode.trigger === 'tick' ? this.#held : null,
      fresh: mode.options !== undefined,
    })
  }

  async #apply(
    reply: PreparedReply,
    base: Snapshot,
    number: number,
    mode: PassMode,
    watch: PassWatch,
  ): Promise<PassReport> {
    // Trust that was not sent again is that of the generation that was served when the pass began.
    if (this.#isStale(number, base)) {
      wipeKeys(reply.material.pairs)
      return this.#superseded(mode, watch)
    }
    const next = this.#snapshot(reply, mode, mode.options ?? base.options)
    const isStale = () => this.#isStale(number, base)
    const report = await this.#serve(next, number, isStale, mode, watch, reply)
    if (report.result.outcome === 'applied') this.#held = null
    else wipeKeys(next.material.pairs)
    return report
  }

  /** STAGE, COMMIT and VERIFY: the way of every generation, whether it was prepared just now or kept. */
  async #serve(
    snapshot: Snapshot,
    number: number,
    isStale: () => boolean,
    mode: PassMode,
    watch: PassWatch,
    reply?: PreparedReply,
  ): Promise<PassReport> {
    try {
      const next = { snapshot, contexts: await this.#stage(snapshot, [], watch) }
      watch.ended('stage')
      if (isStale()) {
        next.contexts.retire(this.#pinned)
        return this.#superseded(mode, watch)
      }
      // Only now: while this was staged, something older may have been committed.
      const before = this.#served
      this.#commit(next, number)
      watch.ended('commit')
      const warnings = await this.#verify(next, before, watch)
      this.#retire(before)
      const warned = reply ? { ...reply, warnings: [...reply.warnings, ...warnings] } : { warnings }
      return this.#report('applied', mode.trigger, watch, warned)
    } catch (error) {
      return this.#failure(error, mode, watch)
    }
  }

  /** Builds a context for every policy in use, those of servers that come while it builds included. */
  async #stage(next: Snapshot, policies: PeerPolicy[], watch: PassWatch): Promise<ContextBook> {
    const contexts = new ContextBook(next, this.#tickets)
    const missing = () => this.servers.policiesUnder(next.options).filter((peers) => !contexts.has(peers))
    for (let todo = [...policies, ...missing()]; todo.length > 0; todo = missing()) {
      for (const peers of todo) await contexts.stage(peers, this.#spares, watch.gauge)
    }
    if (this.#hasClients) await contexts.stageClient(watch.gauge)
    return contexts
  }

  /** One synchronous block: publish the generation, point every server at it. */
  #commit(next: ServedState, number: number): void {
    this.servers.pointAll(next, this.#served)
    this.#served = next
    this.#committed = number
  }

  /**
   * Dials every listener from the worker.
   *
   * @returns warnings of listeners that could not be looked at.
   * @throws ReloadError `SERVED_MISMATCH`, after everything has been pointed back.
   */
  async #verify(next: ServedState, before: ServedState, watch: PassWatch): Promise<Problem[]> {
    if (!next.snapshot.options.verifyServed) return []
    const targets = verifyTargets(this.servers.listening, next.snapshot.generation)
    if (targets.length === 0) return []
    const findings = await this.#preparer.verify({ targets }).catch((error: ReloadError) => {
      const detail = `the worker could not look: ${error.code}`
      return targets.map(() => ({ verdict: 'unreachable' as const, detail }))
    })
    watch.ended('verify')
    const where = (i: number) => targets[i]?.path ?? `${targets[i]?.host}:${targets[i]?.port}`
    const wrong = findings.findIndex(({ verdict }) => verdict === 'different')
    // What was committed in the meantime has been, or will be, looked at by its own pass.
    if (wrong >= 0 && this.#served === next) {
      this.servers.pointAll(before, next)
      this.#served = before
      setImmediate(() => next.contexts.retire(this.#pinned))
      const served = findings[wrong]?.detail
      const message = `${where(wrong)} serves ${served} and not what was committed; everything was pointed back`
      throw new ReloadError('SERVED_MISMATCH', message)
    }
    return findings.flatMap(({ verdict, detail }, i): Problem[] => {
      if (verdict !== 'unreachable') return []
      return [
        { code: 'SERVED_UNVERIFIED', message: `what ${where(i)} serves could not be checked: ${detail}` },
      ]
    })
  }

  /** Only once nothing can go back to it by itself. */
  #retire(before: ServedState): void {
    this.history.keep(before.snapshot)
    if (this.#closed) this.history.clear()
    // In a turn of its own: freeing a large trust store is one native call that cannot be cut.
    setImmediate(() => before.contexts.retire(this.#pinned))
    this.#stockSpares()
  }

  #stockSpares(): void {
    const { snapshot, contexts } = this.#served
    const policies = this.servers.policiesUnder(snapshot.options)
    this.#spares.stock(policies.map((peers) => contexts.planFor(peers)))
  }

  #rotateTickets(): void {
    this.servers.setTicketKeys(this.#served)
    this.#stockSpares()
  }

  #moveRecord(record: Uint8Array): void {
    const { snapshot, contexts } = this.#served
    this.#served = { snapshot: { ...snapshot, record }, contexts }
  }

  #snapshot(reply: PreparedReply, mode: PassMode, options: ResolvedOptions): Snapshot {
    const { certificates, trust, warnings, material, record } = reply
    const served = material.trust === 'served' ? this.#served.snapshot.material.trust : material.trust
    return {
      generation: this.#number({ certificates, trust, warnings, restored: null }, mode.trigger),
      material: { ...material, trust: served },
      record,
      options,
    }
  }

  #number(
    facts: Pick<Snapshot['generation'], 'certificates' | 'trust' | 'warnings' | 'restored'>,
    trigger: Trigger,
  ): Snapshot['generation'] {
    const since = new Date(this.#clock.wallMs()).toISOString()
    const { certificates, trust, warnings, restored } = facts
    const number = ++this.#lastNumber
    return deepFreeze({ number, since, trigger, restored, certificates, trust, warnings })
  }

  /** `base` is what was served when a pass began: its reply is relative to that, and to nothing that came since. */
  #isStale(number: number, base = this.#served.snapshot): boolean {
    const overtaken = base.generation !== this.#served.snapshot.generation
    return this.#closed || number < this.#committed || overtaken
  }

  #superseded(mode: PassMode, watch: PassWatch): PassReport {
    const message = 'something newer was committed while this was being prepared; it was dropped'
    return this.#failure(new ReloadError('SUPERSEDED', message), mode, watch)
  }

  #failure(error: unknown, mode: PassMode, watch: PassWatch): PassReport {
    if (this.#closed) throw new ReloadError('CLOSED', 'the reload engine was closed')
    const problems = problemsOf(error)
    const state = problems.map(({ code }) => code).join()
    return { ...this.#report('rejected', mode.trigger, watch, { problems }), state }
  }

  #report(outcome: Outcome, trigger: Trigger, watch: PassWatch, found?: PassFindings): PassReport {
    const result = resultOf(outcome, trigger, this.#served.snapshot.generation, watch, found)
    return { result, pairMismatch: false, state: '' }
  }
}

/** Trust stores and revocation lists may be this many times as large as a certificate file. */
const TRUST_FACTOR = 16
