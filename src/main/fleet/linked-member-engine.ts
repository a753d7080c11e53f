import type tls from 'node:tls'
import { threadId } from 'node:worker_threads'

import type { ReloadOptions } from '../api/reload-engine.js'
import type { ReloadResult } from '../api/result.js'
import type { ServerExtra } from '../api/server-extra.js'
import type { Detach } from '../api/serving-engine.js'
import type { ExpiryNotice } from '../api/status.js'
import { BaseEngine } from '../attach/base-engine.js'
import { type Clock, systemClock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { EventHub } from '../base/event-hub.js'
import type { Logger } from '../base/logger.js'
import { openWorker, type Worker } from '../threads/pool.js'
import { type FollowedMessage, numberIn, otherRelease, toMemberOf } from './incoming.js'
import { knock } from './knock.js'
import type { Link } from './link.js'
import type { JoinedEvents, JoinedStatus, MemberEngine } from './member-engine.js'
import { MemberLife } from './member-life.js'
import { MemberTransaction } from './member-transaction.js'
import type { ToPrimary } from './messages.js'

/** How often a member reports its servers and connections to the primary, when they have changed. */
const REPORT_MS = 1_000

type Pending = { resolve(result: ReloadResult): void; reject(error: ReloadError): void }

/** What has its turn among the messages; the others are taken at once. */
type Step = Exclude<FollowedMessage, { kind: 'answer' | 'farewell' }>

/** Follows a primary: carries out the steps of its transactions one after the other, and reports to it. */
export class LinkedMemberEngine extends BaseEngine implements MemberEngine {
  readonly #link: Link<ToPrimary>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #events: EventHub<JoinedEvents>
  readonly #transaction: MemberTransaction
  readonly #reloads = new Map<number, Pending>()
  /** Opened for the first look at live connections, which the primary cannot judge. */
  #worker: Worker | null = null
  #work: Promise<void> = Promise.resolve()
  #lastReport = ''
  #complained = false
  #cancelReport = () => {}
  #lastRequest = 0
  #pid = 0
  #orphaned = false
  readonly #life: MemberLife
  /** From an eviction until this member has joined again. */
  #evicted = false
  #joined: Promise<void>
  #welcomed!: () => void
  #turnedAway!: (error: ReloadError) => void

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
    const notify = (notice: ExpiryNotice) => this.#events.emit('expiring', notice)
    this.#life = new MemberLife(clock, logger, notify, () => !this.#orphaned && !this.#evicted)
    this.#joined = new Promise((resolve, reject) => {
      this.#welcomed = resolve
      this.#turnedAway = reject
    })
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
    this.#link.onClose(() => this.#orphan())
    const cancel = this.#clock.after(timeoutMs, () => {
      const message = `no primary shared its certificates within ${timeoutMs} ms; call shareEngine() there`
      this.#turnedAway(new ReloadError('MEMBER_TIMEOUT', message))
    })
    this.#pid = pid
    this.#knock()
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

  reload({
    force = false,
    dryRun = false,
  }: Pick<ReloadOptions, 'force' | 'dryRun'> = {}): Promise<ReloadResult> {
    if (!this.#isFollowing) return Promise.reject(gone())
    const id = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      this.#reloads.set(id, { resolve, reject })
      this.#link.send({ kind: 'reload', id, options: { force, dryRun } })
    })
  }

  status(): JoinedStatus {
    const { snapshot, servers, ledger } = this.#transaction.serving
    return Object.freeze({
      state: this.#state,
      ...this.#life.status(snapshot),
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

  async #end(): Promise<void> {
    if (!this.#orphaned) this.#link.send({ kind: 'leave' })
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

  /** Whether there is a primary. */
  get #isFollowing(): boolean {
    return !this.closed && !this.#orphaned
  }

  #receive(received: unknown): void {
    const message = toMemberOf(received)
    if (!message) this.#complain(numberIn(received))
    else if (message.kind === 'answer') this.#answer(message)
    else if (message.kind === 'farewell') this.#orphan()
    // One after the other: a commit must not overtake its staging, nor hosts the generation before theirs.
    else this.#work = this.#work.then(() => this.#follow(message))
  }

  /** A primary of another release cannot be followed; where it waits for an answer, it gets a refusal. */
  #misread(version: number, message: unknown): void {
    const error = otherRelease(version)
    this.#transaction.refuse(numberIn(message), error)
    this.#turnedAway(error)
  }

  /** What is not a fleet message is ignored, and refused where the primary waits for an answer. */
  #complain(number = 0): void {
    const error = new ReloadError('MEMBER_REFUSED', 'what was received is no message of a fleet')
    this.#transaction.refuse(number || this.#transaction.stagedNumber, error)
    if (this.#complained) return
    this.#complained = true
    this.#logger.error({}, 'what is no message of a fleet was received; it was ignored')
  }

  async #follow(message: Step): Promise<void> {
    if (this.closed) return
    if (message.kind === 'hosts') this.#transaction.addHosts(message.hosts)
    else if (message.kind === 'stage') await this.#transaction.stage(message)
    else if (message.kind === 'commit') this.#commit(message)
    else if (message.kind === 'settle') this.#settle()
    else if (message.kind === 'evicted') this.#joinAgain(message.reason)
    else this.#goBack(message.kind)
    if (this.#transaction.begun) this.#life.watch(this.#transaction.serving.snapshot)
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
    this.#welcomed()
    if (!this.#evicted) return
    this.#evicted = false
    const { number: generation } = this.#transaction.serving.snapshot.generation
    this.#logger.info({ generation }, 'joined the fleet again')
  }

  /** What is served stays until the primary has sent the current generation as a whole. */
  #joinAgain(reason: string): void {
    if (!this.#transaction.begun || this.#evicted || !this.#isFollowing) return
    this.#transaction.giveUp()
    this.#evicted = true
    const { number: generation } = this.#transaction.serving.snapshot.generation
    this.#logger.error(
      { generation, reason },
      'the fleet went on without this member, which did not answer in time; it joins again',
    )
    this.#events.emit('evicted', { generation, reason })
    this.#knock()
  }

  #goBack(step: 'abort' | 'revert'): void {
    this.#transaction[step]()
    if (!this.#transaction.begun)
      this.#turnedAway(new ReloadError('MEMBER_REFUSED', 'the primary did not let this process join'))
  }

  #answer({ id, result, code }: Extract<FollowedMessage, { kind: 'answer' }>): void {
    const pending = this.#reloads.get(id)
    this.#reloads.delete(id)
    if (result) pending?.resolve(result)
    else
      pending?.reject(new ReloadError(code === 'CLOSED' ? 'CLOSED' : 'ABORTED', 'the primary did not reload'))
  }

  #orphan(): void {
    if (!this.#isFollowing) return
    this.#orphaned = true
    this.#leave()
    this.#turnedAway(gone())
    if (!this.#transaction.begun) return
    const message = 'the process that prepares certificates has gone; these are served on and not renewed'
    this.#logger.error({}, message)
    this.#events.emit('orphaned')
  }

  #leave(): void {
    this.#link.release()
    this.#cancelReport()
    for (const { reject } of this.#reloads.values()) reject(gone())
    this.#reloads.clear()
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

  #knock(): void {
    const ask = () => this.#link.send({ kind: 'join', pid: this.#pid, threadId })
    const isWanted = () => this.#isFollowing && (this.#evicted || !this.#transaction.begun)
    knock({ clock: this.#clock, ask, isWanted }, this.#evicted)
  }

  #openWorker(): Worker {
    this.#worker ??= openWorker(this.#transaction.serving.snapshot.options.worker, this.#clock)
    return this.#worker
  }
}

function gone(): ReloadError {
  const message = 'the process that prepares certificates has gone, or this engine is closed'
  return new ReloadError('CLOSED', message)
}
