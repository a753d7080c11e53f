import type { Problem } from '../../workers/base/problem.js'
import type { EvictedMember, MemberEviction, MemberStatus } from '../api/members.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import type { Link } from './link.js'
import type { MemberReport, ToMember, ToPrimary } from './messages.js'

/** What a member may answer to `stage` and `commit`. */
export type MemberAnswer = Extract<ToPrimary, { kind: 'staged' | 'refused' | 'committed' }>

/** How a question to a member ended. `gone`: the member has ended. `late`: it did not answer in time. */
export type MemberReply = MemberAnswer | 'gone' | 'late'

interface Awaited {
  readonly number: number
  readonly kind: 'staged' | 'committed'
  readonly resolve: (reply: MemberReply) => void
}

/** One process or thread that serves, seen from the one that prepares. */
export class Member {
  readonly id: number
  readonly pid: number
  readonly threadId: number
  readonly link: Link<ToMember>
  /** Whether it is being given its first generation, or the current one after an eviction. */
  joining = false
  #report: MemberReport = { generation: 0, servers: 0, connections: {}, listeners: [], policies: [] }
  #awaited: Awaited | null = null
  /** The generation of which the last part was sent, and the last one that was sent as a whole. */
  #begun = 0
  #sent = 0
  /** The generation that it was sent, and has not answered in time; 0 once it has answered. */
  #owed = 0
  readonly #settled = new Set<() => void>()
  #missed = 0
  #eviction: MemberEviction | null = null
  #gone = false
  #end: () => void = () => {}
  /** Resolves once it has ended, or follows no more. */
  readonly ended: Promise<void> = new Promise((resolve) => {
    this.#end = resolve
  })

  constructor(id: number, { pid, threadId }: Extract<ToPrimary, { kind: 'join' }>, link: Link<ToMember>) {
    this.id = id
    this.pid = pid
    this.threadId = threadId
    this.link = link
  }

  get gone(): boolean {
    return this.#gone
  }

  get report(): MemberReport {
    return this.#report
  }

  get eviction(): MemberEviction | null {
    return this.#eviction
  }

  /** As messages name it. */
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

  /** What it answers about a generation. A question that is still open ends as `late`. */
  answer(number: number, kind: 'staged' | 'committed'): Promise<MemberReply> {
    this.#awaited?.resolve('late')
    return new Promise((resolve) => {
      if (this.#gone) resolve('gone')
      else this.#awaited = { number, kind, resolve }
    })
  }

  /** Ends a question about a generation as `late`, if it is still open. */
  giveUp(number: number): void {
    const awaited = this.#awaited
    if (awaited?.number !== number) return
    this.#awaited = null
    if (this.#sent === number) this.#owed = number
    this.#missed++
    this.#wake()
    awaited.resolve('late')
  }

  /**
   * Resolves once it owes no answer from an earlier roll-out, or the question that is open now has ended. A member that does
   * not read is sent no second generation: its messages would only pile up.
   */
  async caughtUp(): Promise<void> {
    if (this.#owed === 0 || this.#gone) return
    await new Promise<void>((resolve) => this.#settled.add(resolve))
  }

  /** It is sent the first part of a generation. */
  sending(number: number): void {
    this.#begun = number
  }

  /** It has been sent all of a generation, so that an answer is to come. */
  sent(number: number): void {
    this.#sent = number
  }

  /** Whether it has been sent anything of a generation. */
  hasPartOf(number: number): boolean {
    return this.#begun === number
  }

  /** Whether the question about this generation is still open. */
  isAsked(number: number): boolean {
    return this.#awaited?.number === number
  }

  /** Takes in a message of the member; `reload` is its own request. */
  receive(message: ToPrimary, engine: ReloadEngine): void {
    if ('report' in message) this.#report = message.report
    if (message.kind === 'reload') this.#reload(message, engine)
    else if (message.kind === 'staged' || message.kind === 'committed' || message.kind === 'refused')
      this.#take(message)
  }

  /** It has sent something that is no message: it cannot carry out what it was asked. */
  misspoke(): void {
    const awaited = this.#awaited
    if (!awaited) return
    const message = 'its answer is not a message of a fleet'
    const problems = [{ code: 'MEMBER_REFUSED' as const, message }]
    this.#take({ kind: 'refused', number: awaited.number, problems })
  }

  evict(eviction: MemberEviction): EvictedMember {
    this.#eviction = Object.freeze(eviction)
    return Object.freeze({ ...this.status(), evicted: eviction })
  }

  /** It serves the current generation. */
  admitted(): void {
    this.#eviction = null
    this.#owed = 0
    this.#missed = 0
  }

  left(): void {
    this.#gone = true
    this.#end()
    this.#wake()
    this.#awaited?.resolve('gone')
    this.#awaited = null
  }

  /** The reason of an eviction, as a result names it. */
  get problem(): Problem | null {
    return this.#eviction && { code: 'MEMBER_EVICTED', message: this.#eviction.message }
  }

  #take(answer: MemberAnswer): void {
    if (answer.number === this.#owed) {
      this.#owed = 0
      this.#wake()
    }
    const awaited = this.#awaited
    // An answer that comes after the question was given up is about an earlier generation.
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
