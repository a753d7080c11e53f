import { randomBytes } from 'node:crypto'
import type tls from 'node:tls'

import type { Problem } from '../workers/problem.js'
import type { PreparedReply, PrepareReply } from '../workers/protocol.js'
import { type Detach, ServerBook } from './attach/server-book.js'
import type { Clock } from './clock.js'
import { ReloadError } from './errors.js'
import { ContextBook } from './generation/context-book.js'
import { type Snapshot, type Trigger, wipeKeys } from './generation/generation.js'
import type { SliceGauge } from './generation/slices.js'
import type { PeerPolicy } from './generation/trust-identity.js'
import type { ResolvedOptions } from './options.js'
import type { Preparer } from './pool.js'
import { type PhaseTimings, type ReloadResult, servingOf } from './result.js'

/** What a pass may do beyond the usual. */
export interface PassMode {
  readonly trigger: Trigger
  readonly force: boolean
  readonly dryRun: boolean
}

/** A pass's result, and what only the engine needs to know of it. */
export interface PassReport {
  readonly result: ReloadResult
  /** Set when all that is wrong is a pair that does not match. */
  readonly pairMismatch: boolean
  /** Tells one state of the disk from another; empty when nothing is wrong. */
  readonly state: string
}

/**
 * Takes material through the two phases: PREPARE in a worker; STAGE and COMMIT here. Holds what is served, and until
 * COMMIT changes none of it.
 */
export class Reloader {
  readonly servers: ServerBook
  readonly #options: ResolvedOptions
  readonly #preparer: Preparer
  readonly #clock: Clock
  readonly #secret = randomBytes(32)
  readonly #pinned = new WeakSet<tls.SecureContext>()
  #served!: Snapshot
  #contexts!: ContextBook
  /** Number of the latest pass that began, and of the latest that was committed: an older one may not follow it. */
  #begun = 0
  #committed = 0
  #closed = false

  constructor(options: ResolvedOptions, preparer: Preparer, clock: Clock) {
    this.#options = options
    this.#preparer = preparer
    this.#clock = clock
    this.servers = new ServerBook(this.#pinned)
  }

  /** @throws ReloadError with the code of the first problem, when the material cannot be served. */
  async loadFirst(): Promise<ReloadResult> {
    const watch = new PassWatch(this.#clock)
    const reply = await this.#prepare(null, false)
    watch.prepared()
    if (reply.kind !== 'prepared') throw firstLoadError(reply.kind === 'refused' ? reply.problems : [])
    const next = this.#snapshot(reply, 1, 'start')
    const contexts = await this.#stage(next, [this.defaultPeers], watch)
    watch.staged()
    this.#served = next
    this.#contexts = contexts
    return this.#result('applied', 'start', watch, reply)
  }

  /** Never rejects but with `CLOSED`: what goes wrong is in the report. */
  async pass(mode: PassMode): Promise<PassReport> {
    const number = ++this.#begun
    const watch = new PassWatch(this.#clock)
    let reply: PrepareReply
    try {
      reply = await this.#prepare(this.#served.record, mode.force)
    } catch (error) {
      return this.#failure(error, mode, watch)
    }
    watch.prepared()
    if (reply.kind === 'refused') {
      const { pairMismatch, state } = reply
      return { result: this.#result('rejected', mode.trigger, watch, reply), pairMismatch, state }
    }
    if (reply.kind === 'unchanged') {
      if (reply.record && !this.#isStale(number)) this.#served = { ...this.#served, record: reply.record }
      return this.#report('unchanged', mode.trigger, watch)
    }
    if (mode.dryRun) {
      for (const { key } of reply.material.pairs) key.fill(0)
      return this.#report('validated', mode.trigger, watch, reply)
    }
    return await this.#apply(reply, number, mode, watch)
  }

  async #apply(reply: PreparedReply, number: number, mode: PassMode, watch: PassWatch): Promise<PassReport> {
    // Trust that was not sent again is that of the generation that was served when the pass began.
    if (this.#isStale(number)) return this.#supersede(reply, mode, watch)
    const next = this.#snapshot(reply, this.#served.generation.number + 1, mode.trigger)
    try {
      const contexts = await this.#stage(next, this.servers.policies, watch)
      watch.staged()
      if (this.#isStale(number)) {
        contexts.retire(this.#pinned)
        return this.#supersede(reply, mode, watch)
      }
      this.#commit(next, contexts, number)
    } catch (error) {
      wipeKeys(next.material)
      return this.#failure(error, mode, watch)
    }
    watch.committed()
    return this.#report('applied', mode.trigger, watch, reply)
  }

  get served(): Snapshot {
    return this.#served
  }

  /** What servers ask of their peers unless they were made otherwise. */
  get defaultPeers(): PeerPolicy {
    const { requestCert, rejectUnauthorized } = this.#options
    return { requestCert, rejectUnauthorized }
  }

  optionsFor(peers: PeerPolicy): tls.SecureContextOptions {
    return this.#contexts.optionsFor(peers)
  }

  attach(server: tls.Server): Detach {
    return this.servers.attach(server, () => this.#contexts)
  }

  /** Lets the servers go on with what they have, and forgets the keys. */
  close(): void {
    this.#closed = true
    this.servers.detachAll()
    if (this.#served) wipeKeys(this.#served.material)
  }

  #prepare(record: Uint8Array | null, force: boolean): Promise<PrepareReply> {
    const { sources, context, requestCert, policy, worker } = this.#options
    const limits = { maxFileBytes: worker.maxFileBytes, maxTrustBytes: worker.maxFileBytes * TRUST_FACTOR }
    return this.#preparer.prepare({ sources, limits, context, requestCert, policy, force, record })
  }

  #snapshot(reply: PreparedReply, number: number, trigger: Trigger): Snapshot {
    const { certificates, trust, material, record } = reply
    const since = new Date(this.#clock.wallMs()).toISOString()
    return {
      generation: Object.freeze({ number, since, trigger, certificates, trust }),
      material: {
        pairs: material.pairs,
        trust: material.trust === 'served' ? this.#served.material.trust : material.trust,
        dhparam: material.dhparam,
      },
      record,
    }
  }

  /** Builds a context for every policy in use, those of servers that come while it builds included. */
  async #stage(next: Snapshot, policies: PeerPolicy[], watch: PassWatch): Promise<ContextBook> {
    const contexts = new ContextBook(next, this.#options.context, this.#secret)
    for (let missing = policies; missing.length > 0; ) {
      for (const peers of missing) await contexts.stage(peers, watch.gauge)
      missing = this.servers.policies.filter((peers) => !contexts.has(peers))
    }
    return contexts
  }

  /** One synchronous block: publish the generation, point every server at it. */
  #commit(next: Snapshot, contexts: ContextBook, number: number): void {
    const before = { snapshot: this.#served, contexts: this.#contexts }
    this.servers.pointAll(contexts, before.contexts)
    this.#served = next
    this.#contexts = contexts
    this.#committed = number
    // In a turn of its own: freeing a large trust store is one native call that cannot be cut.
    setImmediate(() => before.contexts.retire(this.#pinned))
    wipeKeys(before.snapshot.material)
  }

  #isStale(number: number): boolean {
    return this.#closed || number < this.#committed
  }

  #supersede(reply: PreparedReply, mode: PassMode, watch: PassWatch): PassReport {
    for (const { key } of reply.material.pairs) key.fill(0)
    const message = 'something newer was committed while this was being prepared; it was dropped'
    return this.#failure(new ReloadError('SUPERSEDED', message), mode, watch)
  }

  #failure(error: unknown, mode: PassMode, watch: PassWatch): PassReport {
    if (this.#closed) throw new ReloadError('CLOSED', 'the reload engine was closed')
    const { problems } = error instanceof ReloadError ? error : contextRefused(error)
    const result = this.#result('rejected', mode.trigger, watch, { problems })
    return { result, pairMismatch: false, state: problems.map(({ code }) => code).join() }
  }

  #report(
    outcome: ReloadResult['outcome'],
    trigger: Trigger,
    watch: PassWatch,
    reply?: PreparedReply,
  ): PassReport {
    return { result: this.#result(outcome, trigger, watch, reply), pairMismatch: false, state: '' }
  }

  #result(
    outcome: ReloadResult['outcome'],
    trigger: Trigger,
    watch: PassWatch,
    found: Partial<Pick<ReloadResult, 'problems' | 'warnings' | 'changed' | 'diff'>> = {},
  ): ReloadResult {
    const { problems = [], warnings = [], changed = [], diff = null } = found
    const { generation } = this.#served
    const serving = servingOf(generation)
    const timings = watch.timings()
    return Object.freeze({
      outcome,
      trigger,
      generation: generation.number,
      serving,
      problems,
      warnings,
      changed,
      diff,
      timings,
    })
  }
}

/** Trust stores and revocation lists may be this many times as large as a certificate file. */
const TRUST_FACTOR = 16

/** When each phase of a pass ended. */
class PassWatch {
  readonly gauge: SliceGauge = { longestMs: 0 }
  readonly #clock: Clock
  readonly #start: number
  #prepareMs = 0
  #stageMs = 0
  #commitMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#start = clock.monotonicMs()
  }

  prepared(): void {
    this.#prepareMs = this.#elapsed()
  }

  staged(): void {
    this.#stageMs = this.#elapsed() - this.#prepareMs
  }

  committed(): void {
    this.#commitMs = this.#elapsed() - this.#prepareMs - this.#stageMs
    this.gauge.longestMs = Math.max(this.gauge.longestMs, this.#commitMs)
  }

  timings(): PhaseTimings {
    return Object.freeze({
      prepareMs: this.#prepareMs,
      stageMs: this.#stageMs,
      commitMs: this.#commitMs,
      totalMs: this.#elapsed(),
      longestSliceMs: this.gauge.longestMs,
    })
  }

  #elapsed(): number {
    return this.#clock.monotonicMs() - this.#start
  }
}

function firstLoadError(problems: readonly Problem[]): ReloadError {
  const [first] = problems
  if (!first) return new ReloadError('WORKER_CRASHED', 'the worker gave no answer to the first load')
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new ReloadError(first.code, `the first load failed: ${first.message}${more}`, { problems })
}

/** What the worker's rehearsal did not see: this thread's OpenSSL refuses the material. */
function contextRefused(error: unknown): ReloadError {
  const { code } = error as NodeJS.ErrnoException
  const message = `the main thread could not build a TLS context from what the worker prepared (${code ?? 'no code'})`
  return new ReloadError('CONTEXT_REFUSED', message)
}
