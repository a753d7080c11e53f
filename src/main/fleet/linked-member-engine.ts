import type tls from 'node:tls'
import { threadId } from 'node:worker_threads'

import type { ReloadOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { ServerExtra } from '../api/server-extra.js'
import type { Detach } from '../api/serving-engine.js'
import type { ExpiryNotice } from '../api/status.js'
import { BaseEngine } from '../attach/base-engine.js'
import { type Clock, systemClock } from '../base/clock.js'
import { deferred } from '../base/deferred.js'
import { ReloadError } from '../base/errors.js'
import { EventHub } from '../base/event-hub.js'
import type { Logger } from '../base/logger.js'
import { Renewals } from '../generation/renewals.js'
import { openWorker, type Worker } from '../threads/pool.js'
import { type FollowedMessage, numberIn, otherRelease, toMemberOf } from './incoming.js'
import { requestJoin } from './join-request.js'
import type { Link } from './link.js'
import type { JoinedEvents, JoinedStatus, MemberEngine } from './member-engine.js'
import { MemberHosts } from './member-hosts.js'
import { MemberLife } from './member-life.js'
import { MemberTransaction } from './member-transaction.js'
import type { ToPrimary } from './messages.js'
import { primaryGone, ReloadRequests } from './reload-requests.js'

/** Interval at which a member reports changes of its servers and connections to the primary, in milliseconds. */
const REPORT_MS = 1_000

/** Messages that are processed one after the other. All others are processed immediately. */
type Step = Exclude<FollowedMessage, { kind: 'answer' | 'host' | 'host-changed' | 'farewell' }>

/** The engine of a member: executes the primary's transactions step by step, and reports to the primary. */
export class LinkedMemberEngine extends BaseEngine implements MemberEngine {
  readonly #link: Link<ToPrimary>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #events: EventHub<JoinedEvents>
  readonly #transaction: MemberTransaction
  readonly #reloads: ReloadRequests
  readonly #hosts: MemberHosts
  readonly #renewals = new Renewals()
  /** Opened by the first `distrusted()`: the primary cannot judge this process's connections. */
  #worker: Worker | null = null
  #work: Promise<void> = Promise.resolve()
  #lastReport = ''
  #invalidLogged = false
  #cancelReport = () => {}
  #pid = 0
  #orphaned = false
  readonly #life: MemberLife
  /** Whether this member was evicted and has not rejoined yet. */
  #evicted = false
  readonly #joined = deferred<void>()

  constructor(link: Link<ToPrimary>, logger: Logger, clock: Clock = systemClock) {
    super({
      clock,
      logger,
      serving: () => this.#transaction.serving,
      worker: () => this.#openWorker(),
      end: () => this.#end(),
    })
    this.#link = link
    this.#clock = clock
    this.#logger = logger
    this.#events = new EventHub(logger)
    this.#transaction = new MemberTransaction(link, clock)
    this.#reloads = new ReloadRequests(link)
    this.#hosts = new MemberHosts(link)
    const notify = (notice: ExpiryNotice) => this.#events.emit('expiring', notice)
    this.#life = new MemberLife(clock, logger, notify, () => !this.#orphaned && !this.#evicted)
  }

  /**
   * Resolves once this process serves the primary's current generation.
   * @throws ReloadError `MEMBER_REFUSED`, `MEMBER_TIMEOUT` or `CLOSED`.
   */
  async join(pid: number, timeoutMs: number): Promise<this> {
    this.#link.onMessage(
      (message) => this.#receive(message),
      (version, message) => this.#misread(version, message),
    )
    this.#link.onClose(() => this.#primaryEnded())
    const cancel = this.#clock.after(timeoutMs, () => {
      const message = `no primary shared its certificates within ${timeoutMs} ms; call shareEngine() in the primary`
      this.#joined.reject(new ReloadError('MEMBER_TIMEOUT', message))
    })
    this.#pid = pid
    this.#requestJoin()
    try {
      await this.#joined.promise
      await this.#hosts.open(this.#transaction.serving, this.#clock, this.#logger)
    } catch (error) {
      await this.close()
      throw error
    } finally {
      cancel()
    }
    this.#planReport()
    return this
  }

  override serverOptions<T extends ServerExtra>(extra: T = {} as T): tls.TlsOptions & T {
    const options = super.serverOptions(extra)
    setImmediate(() => this.#sendReport())
    return options
  }

  override attach(server: tls.Server): Detach {
    const detach = super.attach(server)
    setImmediate(() => this.#sendReport())
    return detach
  }

  reload(options: Pick<ReloadOptions, 'force' | 'dryRun'> = {}): Promise<ReloadResult> {
    return this.#isFollowing ? this.#reloads.request(options) : Promise.reject(primaryGone())
  }

  status(): JoinedStatus {
    const { snapshot, servers, connections, refusals } = this.#transaction.serving
    return Object.freeze({
      state: this.#state,
      ...this.#life.status(snapshot),
      servers: servers.size,
      connections: connections.counts(),
      refusedPeers: { ...refusals.counts },
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

  async #end(): Promise<void> {
    if (!this.#orphaned) {
      // What it refused since its last report stays in the counts of the primary.
      if (this.#transaction.begun) this.#link.send({ kind: 'report', report: this.#transaction.report() })
      this.#link.send({ kind: 'leave' })
    }
    this.#leave()
    this.#life.stop()
    await Promise.all([this.#work, this.#worker?.close()])
    this.#transaction.close()
    this.#events.clear()
  }

  get #state(): JoinedStatus['state'] {
    if (this.closed) return 'closed'
    return this.#orphaned ? 'orphaned' : this.#evicted ? 'evicted' : 'serving'
  }

  /** Whether there is a primary to follow. */
  get #isFollowing(): boolean {
    return !this.closed && !this.#orphaned
  }

  #receive(received: unknown): void {
    const message = toMemberOf(received)
    if (!message) this.#refuseInvalid(numberIn(received))
    else if (message.kind === 'answer') this.#reloads.receive(message)
    else if (message.kind === 'host') this.#hosts.receive(message.id, message.answer)
    else if (message.kind === 'host-changed') this.#hosts.changed(message.name)
    else if (message.kind === 'farewell') this.#primaryEnded()
    // In order: a commit must not overtake its staging, nor hosts the previous generation.
    else this.#work = this.#work.then(() => this.#follow(message))
  }

  /** Handles a primary of another release, which cannot be followed: refuses if it waits for an answer. */
  #misread(version: number, message: unknown): void {
    const error = otherRelease(version)
    this.#transaction.refuse(numberIn(message), error)
    this.#joined.reject(error)
  }

  /** Handles an invalid fleet message: refuses if the primary waits for an answer. */
  #refuseInvalid(number = 0): void {
    const error = new ReloadError('MEMBER_REFUSED', 'the member received an invalid fleet message')
    this.#transaction.refuse(number || this.#transaction.stagedNumber, error)
    if (this.#invalidLogged) return
    this.#invalidLogged = true
    this.#logger.error({}, 'an invalid fleet message was received and ignored')
  }

  async #follow(message: Step): Promise<void> {
    if (this.closed) return
    if (message.kind === 'hosts') this.#transaction.addHosts(message.hosts)
    else if (message.kind === 'stage') await this.#transaction.stage(message)
    else if (message.kind === 'commit') this.#commit(message)
    else if (message.kind === 'settle') this.#settle()
    else if (message.kind === 'evicted') this.#joinAgain(message.reason)
    else this.#undo(message.kind)
    if (!this.#transaction.begun) return
    const { snapshot } = this.#transaction.serving
    this.#life.watch(snapshot)
    const renewal = this.#renewals.next(snapshot)
    if (renewal) this.#events.emit('renewed', renewal)
  }

  #commit(message: Extract<Step, { kind: 'commit' }>): void {
    const applied = this.#transaction.commit(message)
    if (!applied) return
    this.retireIdleConnections()
    this.reportOverrides()
    this.#events.emit('applied', applied)
  }

  #settle(): void {
    this.#transaction.settle()
    this.#joined.resolve()
    if (!this.#evicted) return
    this.#evicted = false
    // It has missed announcements.
    this.#hosts.changed()
    const { number: generation } = this.#transaction.serving.snapshot.generation
    this.#logger.info({ generation }, 'rejoined the fleet')
  }

  /** Rejoins after an eviction. The served generation stays until the primary has sent the complete current one. */
  #joinAgain(reason: string): void {
    if (!this.#transaction.begun || this.#evicted || !this.#isFollowing) return
    this.#transaction.giveUp()
    this.#evicted = true
    const { number: generation } = this.#transaction.serving.snapshot.generation
    this.#logger.error(
      { generation, reason },
      'this member did not answer in time and was evicted from the fleet; rejoining',
    )
    this.#events.emit('evicted', { generation, reason })
    this.#requestJoin()
  }

  #undo(step: 'abort' | 'revert'): void {
    this.#transaction[step]()
    if (!this.#transaction.begun)
      this.#joined.reject(
        new ReloadError('MEMBER_REFUSED', 'the primary refused to let this process join; see its log'),
      )
  }

  #primaryEnded(): void {
    if (!this.#isFollowing) return
    this.#orphaned = true
    this.#leave()
    this.#joined.reject(primaryGone())
    if (!this.#transaction.begun) return
    const message = 'the primary has ended; its last certificates stay in service and are not renewed'
    this.#logger.error({}, message)
    this.#events.emit('orphaned')
  }

  #leave(): void {
    this.#link.release()
    this.#cancelReport()
    this.#reloads.close()
    this.#hosts.close()
  }

  #planReport(): void {
    this.#cancelReport = this.#clock.after(REPORT_MS, () => {
      this.#sendReport()
      this.reportOverrides()
      this.#planReport()
    })
  }

  #sendReport(): void {
    if (!this.#isFollowing) return
    const report = this.#transaction.report()
    const text = JSON.stringify(report)
    if (text === this.#lastReport) return
    this.#link.send({ kind: 'report', report })
    this.#lastReport = text
  }

  #requestJoin(): void {
    const request = () => this.#link.send({ kind: 'join', pid: this.#pid, threadId })
    const isNeeded = () => this.#isFollowing && (this.#evicted || !this.#transaction.begun)
    requestJoin({ clock: this.#clock, request, isNeeded }, this.#evicted)
  }

  #openWorker(): Worker {
    this.#worker ??= openWorker(this.#transaction.serving.snapshot.options.worker, this.#clock)
    return this.#worker
  }
}
