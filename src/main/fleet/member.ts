import type { ReloadEngine } from '../reload-engine.js'
import type { MemberStatus } from './followers.js'
import type { Link } from './link.js'
import type { MemberReport, ToMember, ToPrimary } from './messages.js'

/** What a member may answer to `stage` and `commit`. */
export type MemberAnswer = Extract<ToPrimary, { kind: 'staged' | 'refused' | 'committed' }>

interface Awaited {
  readonly number: number
  readonly kind: 'staged' | 'committed'
  readonly resolve: (answer: MemberAnswer | 'gone') => void
}

/** One process or thread that serves, seen from the one that prepares. */
export class Member {
  readonly id: number
  readonly pid: number
  readonly link: Link<ToPrimary, ToMember>
  #report: MemberReport = { generation: 0, servers: 0, connections: {}, listeners: [], policies: [] }
  #awaited: Awaited | null = null
  #gone = false

  constructor(id: number, pid: number, link: Link<ToPrimary, ToMember>) {
    this.id = id
    this.pid = pid
    this.link = link
  }

  get gone(): boolean {
    return this.#gone
  }

  get report(): MemberReport {
    return this.#report
  }

  status(): MemberStatus {
    const { generation, servers, connections } = this.#report
    return { id: this.id, pid: this.pid, generation, servers, connections }
  }

  /** What it says to a generation; `gone` when the member ends instead, or has ended. */
  answer(number: number, kind: 'staged' | 'committed'): Promise<MemberAnswer | 'gone'> {
    return new Promise((resolve) => {
      if (this.#gone) resolve('gone')
      else this.#awaited = { number, kind, resolve }
    })
  }

  /** Takes in what the member says of itself; `reload` is its own request. */
  receive(message: ToPrimary, engine: ReloadEngine): void {
    if ('report' in message) this.#report = message.report
    if (message.kind === 'reload') this.#reload(message, engine)
    else if (message.kind !== 'report' && message.kind !== 'join') this.#take(message)
  }

  left(): void {
    this.#gone = true
    this.link.release()
    this.#awaited?.resolve('gone')
  }

  /** An answer that comes after it was given up is about a generation of before. */
  #take(answer: MemberAnswer): void {
    const awaited = this.#awaited
    if (awaited?.number !== answer.number) return
    if (answer.kind !== 'refused' && answer.kind !== awaited.kind) return
    this.#awaited = null
    awaited.resolve(answer)
  }

  #reload({ id, options }: Extract<ToPrimary, { kind: 'reload' }>, engine: ReloadEngine): void {
    engine.reload({ force: options.force === true, dryRun: options.dryRun === true }).then(
      (result) => this.link.send({ kind: 'answer', id, result, code: '' }),
      ({ code }: { code: string }) => this.link.send({ kind: 'answer', id, result: null, code }),
    )
  }
}
