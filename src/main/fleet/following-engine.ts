import type https from 'node:https'
import type { Socket } from 'node:net'
import type tls from 'node:tls'
import { isDeepStrictEqual } from 'node:util'

import { distrusted } from '../attach/distrusted.js'
import { RenewingAgent } from '../attach/renewing-agent.js'
import { reportUnservable } from '../attach/servable-trust.js'
import type { Detach, ServedState } from '../attach/server-book.js'
import { type Clock, systemClock } from '../clock.js'
import { ReloadError } from '../errors.js'
import { type Snapshot, wipeKeys } from '../generation/generation.js'
import { History } from '../generation/history.js'
import { HostTable } from '../generation/host-table.js'
import { NameClaims } from '../generation/name-claims.js'
import { runInSlices, type SliceGauge } from '../generation/slices.js'
import { sameTrustPolicy } from '../generation/trust-identity.js'
import { EventHub } from '../observe/event-hub.js'
import type { Logger } from '../observe/logger.js'
import { problemsOf } from '../pass-report.js'
import { openPreparer, type Preparer } from '../pool.js'
import type { ReloadOptions } from '../reload-engine.js'
import type { NamedFacts, ReloadResult } from '../result.js'
import type { ServerExtra } from '../server-options.js'
import { Serving, servingFor } from '../serving.js'
import { numberIn, otherRelease, toMemberOf } from './incoming.js'
import type { AppliedGeneration, JoinedEngine, JoinedEvents, JoinedStatus } from './joined-engine.js'
import type { Link } from './link.js'
import type { MemberReport, ToMember, ToPrimary, WireSnapshot } from './messages.js'
import { bytesOf, hostOf, keptOptions, materialOf, type WireHost } from './wire.js'

/** How often a member tells the primary of its connections, when they changed. */
const REPORT_MS = 1_000
/** How often a member asks to be let in. */
const KNOCK_MS = 250

interface Pending {
  readonly resolve: (result: ReloadResult) => void
  readonly reject: (error: ReloadError) => void
}

/** Follows a primary: stages, commits, settles and reverts as it is told, one message after the other. */
export class FollowingEngine implements JoinedEngine {
  readonly #link: Link<ToPrimary>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #events: EventHub<JoinedEvents>
  readonly #agents = new Set<RenewingAgent>()
  readonly #history = new History(0, () => (this.#serving as Serving).snapshot)
  readonly #reloads = new Map<number, Pending>()
  #serving: Serving | null = null
  /** A worker of its own, for what the primary cannot know: its live connections. */
  #preparer: Preparer | null = null
  /** Hosts that came ahead of their generation. */
  #hosts: WireHost[] = []
  #staged: ServedState | null = null
  #before: ServedState | null = null
  #gauge: SliceGauge = { longestMs: 0 }
  #work: Promise<void> = Promise.resolve()
  #told = ''
  #complained = false
  #cancelReport = () => {}
  #lastReload = 0
  #state: JoinedStatus['state'] = 'serving'
  #begun = false
  #joined: Promise<void>
  #welcomed!: () => void
  #turnedAway!: (error: ReloadError) => void

  constructor(link: Link<ToPrimary>, logger: Logger, clock: Clock = systemClock) {
    this.#link = link
    this.#clock = clock
    this.#logger = logger
    this.#events = new EventHub(logger)
    this.#joined = new Promise((resolve, reject) => {
      this.#welcomed = resolve
      this.#turnedAway = reject
    })
  }

  /**
   * Resolves once the generation of now is served here.
   * @throws ReloadError `MEMBER_REFUSED`, `MEMBER_TIMEOUT` or `CLOSED`.
   */
  async join(pid: number, timeoutMs: number): Promise<this> {
    this.#link.onMessage(
      (message) => this.#receive(message),
      (version, message) => this.#misread(version, message),
    )
    this.#link.onClose(() => this.#orphan())
    const cancel = this.#clock.after(timeoutMs, () => {
      const message = `no primary shared its certificates within ${timeoutMs} ms; call shareEngine() there`
      this.#turnedAway(new ReloadError('MEMBER_TIMEOUT', message))
    })
    this.#knock(pid)
    try {
      await this.#joined
    } catch (error) {
      await this.close()
      throw error
    } finally {
      cancel()
    }
    this.#planReport()
    return this
  }

  /** Again and again: the primary may not listen yet. */
  #knock(pid: number): void {
    if (this.#serving || this.#state !== 'serving') return
    this.#link.send({ kind: 'join', pid })
    this.#clock.after(KNOCK_MS, () => this.#knock(pid))
  }

  serverOptions<T extends ServerExtra>(extra: T = {} as T): tls.TlsOptions & T {
    const options = this.#open().serverOptions(extra)
    setImmediate(() => this.#tell())
    return options
  }

  attach(server: tls.Server): Detach {
    const detach = this.#open().attach(server, (error) => reportUnservable(this.#logger, error))
    setImmediate(() => this.#tell())
    return detach
  }

  generationOf(socket: Socket): number | undefined {
    return this.#serving?.ledger.generationOf(socket)
  }

  servingFor(servername: string): NamedFacts | null {
    return servingFor((this.#serving as Serving).snapshot, servername)
  }

  distrusted(connections: Iterable<tls.TLSSocket>): Promise<Set<tls.TLSSocket>> {
    const serving = this.#open()
    this.#preparer ??= openPreparer(serving.snapshot.options.worker, this.#clock)
    const parts = { preparer: this.#preparer, clock: this.#clock, logger: this.#logger }
    return distrusted(connections, serving.trust(), parts)
  }

  secureContext(): tls.SecureContext {
    return this.#open().clientIdentity().secureContext
  }

  agent(options: https.AgentOptions = {}): https.Agent {
    const serving = this.#open()
    const agent = new RenewingAgent(options, () => serving.clientIdentity())
    this.#agents.add(agent)
    return agent
  }

  reload({
    force = false,
    dryRun = false,
  }: Pick<ReloadOptions, 'force' | 'dryRun'> = {}): Promise<ReloadResult> {
    if (this.#state !== 'serving') return Promise.reject(gone())
    const id = ++this.#lastReload
    return new Promise((resolve, reject) => {
      this.#reloads.set(id, { resolve, reject })
      this.#link.send({ kind: 'reload', id, options: { force, dryRun } })
    })
  }

  status(): JoinedStatus {
    const { snapshot, servers, ledger } = this.#serving as Serving
    return Object.freeze({
      state: this.#state,
      generation: snapshot.generation,
      servers: servers.size,
      connections: ledger.counts(),
    })
  }

  on<E extends keyof JoinedEvents>(event: E, listener: (...args: JoinedEvents[E]) => void): this {
    this.#events.on(event, listener)
    return this
  }

  off<E extends keyof JoinedEvents>(event: E, listener: (...args: JoinedEvents[E]) => void): this {
    this.#events.off(event, listener)
    return this
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#leave()
    for (const agent of this.#agents) agent.destroy()
    await Promise.all([this.#work, this.#preparer?.close()])
    this.#serving?.close()
    this.#events.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #receive(received: unknown): void {
    const message = toMemberOf(received)
    if (!message) this.#complain(numberIn(received))
    else if (message.kind === 'hosts') this.#hosts.push(...message.hosts)
    else if (message.kind === 'answer') this.#answer(message)
    else if (message.kind === 'farewell') this.#orphan()
    // A commit must not overtake the staging that it is about.
    else this.#work = this.#work.then(() => this.#follow(message))
  }

  /** Another release cannot be followed; it gets a refusal where it waits for an answer. */
  #misread(version: number, message: unknown): void {
    const error = otherRelease(version)
    const number = numberIn(message)
    if (number > 0) this.#refuse(number, error)
    this.#turnedAway(error)
  }

  /** What is no message is not carried out, and refused where an answer is waited for. */
  #complain(number = 0): void {
    const awaited = number || this.#staged?.snapshot.generation.number || 0
    if (awaited > 0) {
      this.#refuse(awaited, new ReloadError('MEMBER_REFUSED', 'what was received is no message of a fleet'))
    }
    if (this.#complained) return
    this.#complained = true
    this.#logger.error({}, 'what is no message of a fleet was received; it was ignored')
  }

  async #follow(message: Exclude<ToMember, { kind: 'hosts' | 'answer' | 'farewell' }>): Promise<void> {
    if (this.#state === 'closed') return
    if (message.kind === 'stage') await this.#stage(message)
    else if (message.kind === 'commit') this.#commit()
    else if (message.kind === 'abort') this.#abort()
    else if (message.kind === 'settle') this.#settle()
    else if (message.kind === 'revert') this.#revert()
    else this.#misread(0, message)
  }

  async #stage({ snapshot: wire, welcome }: Extract<ToMember, { kind: 'stage' }>): Promise<void> {
    const hosts = this.#hosts.splice(0)
    const { number } = wire.generation
    this.#gauge = { longestMs: 0 }
    try {
      const snapshot = await this.#snapshotOf(wire, hosts)
      const { options } = snapshot
      this.#serving ??= new Serving(options, this.#clock, welcome === null ? undefined : bytesOf(welcome))
      this.#staged = await this.#serving.stage(snapshot, [options.peers], this.#gauge)
      const { longestMs: longestSliceMs } = this.#gauge
      this.#link.send({ kind: 'staged', number, longestSliceMs, report: this.#report() })
    } catch (error) {
      this.#refuse(number, error)
    }
  }

  async #snapshotOf(wire: WireSnapshot, wireHosts: readonly WireHost[]): Promise<Snapshot> {
    const hosts = wireHosts.map(hostOf)
    const before = this.#begun ? (this.#serving as Serving).snapshot : null
    const table = before?.hosts ?? HostTable.empty
    const claims = new NameClaims(wire.options.policy.nameClaims, wire.generation.certificates)
    const moved = hosts.length + wire.removedHosts.length > 0 || table.claims.key !== claims.key
    return {
      generation: wire.generation,
      material: materialOf(wire, before),
      record: { head: new Uint8Array(), trust: new Uint8Array(), authorities: new Uint8Array() },
      hosts: moved ? await runInSlices(table.after(hosts, wire.removedHosts, claims), this.#gauge) : table,
      hostsRecord: null,
      options: keptOptions(wire.options, before?.options),
      rolledBack: null,
    }
  }

  #commit(): void {
    const serving = this.#serving
    const staged = this.#staged
    if (!serving || !staged) {
      this.#complain()
      return
    }
    const { number } = staged.snapshot.generation
    const start = performance.now()
    try {
      if (this.#begun) this.#before = serving.commit(staged)
      else serving.begin(staged)
    } catch (error) {
      this.#refuse(number, error)
      return
    }
    this.#begun = true
    this.#staged = null
    const longestSliceMs = Math.max(this.#gauge.longestMs, performance.now() - start)
    this.#link.send({ kind: 'committed', number, longestSliceMs, report: this.#report() })
    for (const agent of this.#agents) agent.retireIdle()
    this.#events.emit('applied', this.#applied(serving.snapshot))
  }

  #applied({ generation, options, material }: Snapshot): AppliedGeneration {
    const before = this.#before?.snapshot
    const sessionsSurvive =
      before !== undefined &&
      before.generation.trust.digest === generation.trust.digest &&
      sameTrustPolicy(before.options, options) &&
      isDeepStrictEqual(before.material.ticketSecret, material.ticketSecret)
    return Object.freeze({ generation, diff: { sessionsSurvive } })
  }

  #abort(): void {
    if (this.#staged && this.#begun) this.#serving?.drop(this.#staged)
    if (this.#staged) wipeKeys(this.#staged.snapshot.material.pairs)
    this.#staged = null
    if (!this.#begun)
      this.#turnedAway(new ReloadError('MEMBER_REFUSED', 'the primary did not let this process join'))
  }

  #settle(): void {
    if (this.#before) {
      this.#history.keep(this.#before.snapshot)
      this.#serving?.retire(this.#before)
    }
    this.#before = null
    this.#welcomed()
  }

  #revert(): void {
    if (this.#before && this.#serving) {
      const { material } = this.#serving.snapshot
      this.#serving.revert(this.#before)
      if (material !== this.#serving.snapshot.material) wipeKeys(material.pairs)
    } else this.#abort()
    this.#before = null
  }

  #refuse(number: number, error: unknown): void {
    this.#link.send({ kind: 'refused', number, problems: problemsOf(error) })
  }

  #answer({ id, result, code }: Extract<ToMember, { kind: 'answer' }>): void {
    const pending = this.#reloads.get(id)
    this.#reloads.delete(id)
    if (result) pending?.resolve(result)
    else
      pending?.reject(new ReloadError(code === 'CLOSED' ? 'CLOSED' : 'ABORTED', 'the primary did not reload'))
  }

  #orphan(): void {
    if (this.#state !== 'serving') return
    this.#state = 'orphaned'
    this.#leave()
    this.#turnedAway(gone())
    if (!this.#begun) return
    this.#logger.error(
      {},
      'the process that prepares certificates has gone; these are served on and not renewed',
    )
    this.#events.emit('orphaned')
  }

  #leave(): void {
    this.#link.release()
    this.#cancelReport()
    for (const { reject } of this.#reloads.values()) reject(gone())
    this.#reloads.clear()
  }

  #report(): MemberReport {
    const serving = this.#serving as Serving
    const generation = this.#begun ? serving.snapshot.generation.number : 0
    const connections = serving.ledger.counts()
    const { size: servers, ownPolicies: policies } = serving.servers
    const listeners = serving.servedListeners().map(({ listener }) => listener)
    return { generation, servers, connections, listeners, policies }
  }

  #planReport(): void {
    this.#cancelReport = this.#clock.after(REPORT_MS, () => {
      this.#tell()
      this.#planReport()
    })
  }

  #tell(): void {
    if (this.#state !== 'serving') return
    const report = this.#report()
    const text = JSON.stringify(report)
    if (text !== this.#told) this.#link.send({ kind: 'report', report })
    this.#told = text
  }

  #open(): Serving {
    if (this.#state === 'closed' || !this.#serving)
      throw new ReloadError('CLOSED', 'the reload engine is closed')
    return this.#serving
  }
}

function gone(): ReloadError {
  return new ReloadError(
    'CLOSED',
    'the process that prepares certificates has gone, or this engine is closed',
  )
}
