import type { Problem } from '../../workers/base/problem.js'
import type { EvictedMember, MemberEviction, MemberStatus } from '../api/members.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import { NO_REFUSED_PEERS } from '../reload/fleet.js'
import type { Link } from './link.js'
import type { MemberReport, ToMember, ToPrimary } from './messages.js'

/** Replies of a member to `stage` and `commit`. */
export type MemberAnswer = Extract<ToPrimary, { kind: 'staged' | 'refused' | 'committed' }>

/** The end of a request to a member. `gone`: the member has ended. `late`: it did not answer in time. */
export type MemberReply = MemberAnswer | 'gone' | 'late'

interface Awaited {
  readonly number: number
  readonly kind: 'staged' | 'committed'
  readonly resolve: (reply: MemberReply) => void
}

/** The primary's view of one member. */
export class Member {
  readonly id: number
  readonly pid: number
  readonly threadId: number
  readonly link: Link<ToMember>
  /** Whether it is being admitted, for the first time or after an eviction. */
  joining = false
  #report: MemberReport = {
    ...{ generation: 0, servers: 0, connections: {}, listeners: [], policies: [] },
    refusedPeers: NO_REFUSED_PEERS,
  }
  #awaited: Awaited | null = null
  /** The last generation of which a part was sent, and the last one that was sent completely. */
  #begun = 0
  #sent = 0
  /** The generation whose reply is overdue; 0 if none is. */
  #overdue = 0
  readonly #settled = new Set<() => void>()
  #missed = 0
  #eviction: MemberEviction | null = null
  #hasLeft = false
  #end: () => void = () => {}
  /** Resolves once it has ended or left the fleet. */
  readonly ended: Promise<void> = new Promise((resolve) => {
    this.#end = resolve
  })

  constructor(id: number, { pid, threadId }: Extract<ToPrimary, { kind: 'join' }>, link: Link<ToMember>) {
    this.id = id
    this.pid = pid
    this.threadId = threadId
    this.link = link
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  get report(): MemberReport {
    return this.#report
  }

  get eviction(): MemberEviction | null {
    return this.#eviction
  }

  /** Its name in messages. */
  get name(): string {
    return `member ${this.id} (pid ${this.pid}${this.threadId > 0 ? `, thread ${this.threadId}` : ''})`
  }

  status(): MemberStatus {
    const { generation, servers, connections } = this.#report
    return {
      ...{ id: this.id, pid: this.pid, threadId: this.threadId, generation, servers, connections },
      ...{ missed: this.#missed, evicted: this.#eviction },
    }
  }

  /** Resolves with its reply about a generation. A request that is still open ends as `late`. */
  answer(number: number, kind: 'staged' | 'committed'): Promise<MemberReply> {
    this.#awaited?.resolve('late')
    return new Promise((resolve) => {
      if (this.#hasLeft) resolve('gone')
      else this.#awaited = { number, kind, resolve }
    })
  }

  /** Ends the request about a generation as `late`, if it is still open. */
  giveUp(number: number): void {
    const awaited = this.#awaited
    if (awaited?.number !== number) return
    this.#awaited = null
    if (this.#sent === number) this.#overdue = number
    this.#missed++
    this.#wake()
    awaited.resolve('late')
  }

  /**
   * Resolves once no reply from an earlier roll-out is overdue, or the current request has ended. A member that does not read
   * is sent no second generation, because its messages would only accumulate.
   */
  async caughtUp(): Promise<void> {
    if (this.#overdue === 0 || this.#hasLeft) return
    await new Promise<void>((resolve) => this.#settled.add(resolve))
  }

  /** Notes that the first part of a generation is sent. */
  sending(number: number): void {
    this.#begun = number
  }

  /** Notes that a generation was sent completely, so that a reply can be expected. */
  sent(number: number): void {
    this.#sent = number
  }

  /** Whether any part of a generation has been sent. */
  hasPartOf(number: number): boolean {
    return this.#begun === number
  }

  /** Whether the request about this generation is still open. */
  isAsked(number: number): boolean {
    return this.#awaited?.number === number
  }

  /** Processes a message of the member. */
  receive(message: ToPrimary, engine: ReloadEngine): void {
    if ('report' in message) this.#report = message.report
    if (message.kind === 'reload') this.#reload(message, engine)
    else if (message.kind === 'staged' || message.kind === 'committed' || message.kind === 'refused')
      this.#take(message)
  }

  /** Processes an invalid message: an open request counts as refused. */
  receiveInvalid(): void {
    const awaited = this.#awaited
    if (!awaited) return
    const message = 'its answer is not a valid fleet message'
    const problems = [{ code: 'MEMBER_REFUSED' as const, message }]
    this.#take({ kind: 'refused', number: awaited.number, problems })
  }

  evict(eviction: MemberEviction): EvictedMember {
    this.#eviction = Object.freeze(eviction)
    return Object.freeze({ ...this.status(), evicted: eviction })
  }

  /** Notes that the member serves the current generation. */
  admitted(): void {
    this.#eviction = null
    this.#overdue = 0
    this.#missed = 0
  }

  left(): void {
    this.#hasLeft = true
    this.#end()
    this.#wake()
    this.#awaited?.resolve('gone')
    this.#awaited = null
  }

  /** Its eviction as a problem in a result; `null` if it is not evicted. */
  get problem(): Problem | null {
    return this.#eviction && { code: 'MEMBER_EVICTED', message: this.#eviction.message }
  }

  #take(answer: MemberAnswer): void {
    if (answer.number === this.#overdue) {
      this.#overdue = 0
      this.#wake()
    }
    const awaited = this.#awaited
    // A reply that arrives after its request was given up has the number of an earlier generation.
    if (awaited?.number !== answer.number) return
    if (answer.kind !== 'refused' && answer.kind !== awaited.kind) return
    this.#awaited = null
    this.#missed = 0
    awaited.resolve(answer)
  }

  #wake(): void {
    for (const resolve of this.#settled) resolve()
    this.#settled.clear()
  }

  #reload({ id, options }: Extract<ToPrimary, { kind: 'reload' }>, engine: ReloadEngine): void {
    engine.reload({ force: options.force === true, dryRun: options.dryRun === true }).then(
      (result) => this.link.send({ kind: 'answer', id, result, code: '' }),
      ({ code }: { code: string }) => this.link.send({ kind: 'answer', id, result: null, code }),
    )
  }
}
