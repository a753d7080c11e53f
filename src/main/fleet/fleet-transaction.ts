import { monotonicMs } from '../../workers/base/monotonic.js'
import type { MemberResult } from '../api/members.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Snapshot } from '../generation/generation.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { ACTIONS, assertAgreed, type Question, type Replies, repliesOf } from './answers.js'
import { hostsBetween } from './hosts-between.js'
import type { Member } from './member.js'
import type { ToMember } from './messages.js'
import { type EvictionCause, Patience, type Urgency, urgencyOf } from './patience.js'
import { sendGeneration } from './send-generation.js'
import type { Turns } from './turns.js'

export interface TransactionParts {
  readonly clock: Clock
  /** Time limit of a member for each of its two steps, to build its contexts and to serve them, in milliseconds. */
  readonly timeoutMs: number
  /** Consecutive roll-outs that members may hold back by not answering in time, the last one included. */
  readonly patience: number
  readonly turns: Turns
  /** Members that have not been evicted. */
  readonly members: () => readonly Member[]
  /** Policies of the servers of all members, evicted ones included. */
  readonly policies: () => readonly PeerPolicy[]
  readonly evict: (member: Member, cause: EvictionCause) => void
  /** Called when a generation that withdraws trust is in service. */
  readonly trustWithdrawn: () => Promise<void>
}

interface Rollout {
  /** The participants. */
  members: readonly Member[]
  readonly number: number
  readonly evicted: Member[]
  urgency: Urgency | null
  readonly endTurn: () => void
}

const NO_ROLLOUT: Rollout = { members: [], number: 0, evicted: [], urgency: null, endTurn: () => {} }

/**
 * The primary's side of roll-outs, one at a time: all members build a generation, then all serve it. Members that do not
 * answer in time hold it back; once `patience` is used up they are evicted, and the others continue without them.
 */
export class FleetTransaction {
  readonly #parts: TransactionParts
  readonly #patience: Patience
  #rollout: Rollout = NO_ROLLOUT

  constructor(parts: TransactionParts) {
    this.#parts = parts
    this.#patience = new Patience(parts.patience)
  }

  /** @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`, after `abort` has been sent to every member. */
  async stage(next: Snapshot, served: () => Snapshot, force: boolean): Promise<void> {
    const { turns, members: all } = this.#parts
    const endTurn = await turns.take()
    const members = all()
    const { number } = next.generation
    this.#rollout = { members, number, evicted: [], urgency: null, endTurn }
    try {
      const before = served()
      this.#rollout.urgency = this.#urgencyOf(before, next, force)
      const replies = repliesOf(members, number, 'staged', this.#parts)
      const hosts = await hostsBetween(before, next)
      const sent = members.map(async (member) => {
        await member.caughtUp()
        await sendGeneration(member, { next, before, hosts, secret: null })
      })
      const [answers] = await Promise.all([replies, Promise.all(sent)])
      this.#judge(answers, 'staged')
    } catch (error) {
      this.#end({ kind: 'abort' })
      throw error
    }
  }

  abort(): void {
    this.#end({ kind: 'abort' })
  }

  /** @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT` */
  async commit(): Promise<readonly MemberResult[]> {
    const { members, number, evicted } = this.#rollout
    const { timeoutMs, trustWithdrawn } = this.#parts
    const replies = repliesOf(members, number, 'committed', this.#parts)
    const untilMs = monotonicMs() + timeoutMs
    for (const { link } of members) link.send({ kind: 'commit', number, untilMs })
    const results = this.#judge(await replies, 'committed')
    this.#patience.reset()
    if (this.#rollout.urgency === 'trust') await trustWithdrawn()
    const left = evicted.map(({ id, pid }) => ({ id, pid, outcome: 'evicted' as const, longestSliceMs: 0 }))
    return [...results, ...left].sort((a, b) => a.id - b.id)
  }

  settle(): void {
    this.#end({ kind: 'settle' })
  }

  revert(): void {
    this.#end({ kind: 'revert' })
  }

  #urgencyOf(before: Snapshot, next: Snapshot, force: boolean): Urgency | null {
    const { clock, patience, policies, timeoutMs } = this.#parts
    return urgencyOf({
      ...{ before, next, force, policies: policies() },
      nowMs: clock.wallMs(),
      patienceMs: patience * timeoutMs,
    })
  }

  /** Evicts members that are late, or else throws, which holds the roll-out back. */
  #judge(replies: Replies, question: Question): MemberResult[] {
    const { urgency, evicted } = this.#rollout
    const late = replies.flatMap(([member, reply]) => (reply === 'late' ? [member] : []))
    if (late.length > 0) {
      if (!this.#patience.mustEvict(urgency)) throw this.#heldBackBy(late, question)
      const cause = { question, urgency, heldBack: this.#patience.heldBack }
      for (const member of late) this.#parts.evict(member, cause)
      evicted.push(...late)
      this.#patience.reset()
      this.#rollout.members = this.#rollout.members.filter((member) => !late.includes(member))
    }
    return replies.map(assertAgreed).flatMap(([{ id, pid }, reply]) => {
      if (reply === 'late') return []
      if (reply === 'gone') return { id, pid, outcome: 'gone' as const, longestSliceMs: 0 }
      return { id, pid, outcome: 'applied' as const, longestSliceMs: reply.longestSliceMs }
    })
  }

  #heldBackBy(late: readonly Member[], question: Question): ReloadError {
    const { patience, timeoutMs } = this.#parts
    const names = late.map(({ name }) => name).join(', ')
    const message =
      `${names} did not ${ACTIONS[question]} the new certificates within ${timeoutMs} ms; all members keep the old ones; ` +
      `this was ${this.#patience.heldBack} of ${patience} roll-outs in a row, after which a member that does not answer is evicted`
    return new ReloadError('MEMBER_TIMEOUT', message)
  }

  #end(message: Extract<ToMember, { kind: 'settle' | 'abort' | 'revert' }>): void {
    const { members, number, endTurn } = this.#rollout
    // A member that does not read was sent no part of the generation, so it gets no end of the transaction either.
    for (const member of members) if (member.hasPartOf(number)) member.link.send(message)
    this.#rollout = NO_ROLLOUT
    endTurn()
  }
}
