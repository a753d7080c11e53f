import type { EvictedMember, MemberResult, MemberStatus } from '../api/members.js'
import type { ReloadEngine } from '../api/reload-engine.js'
import type { RefusedPeers } from '../api/status.js'
import type { Serving } from '../attach/serving.js'
import type { Listener } from '../attach/verify-targets.js'
import type { Clock } from '../base/clock.js'
import type { ReloadError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { OnDemand } from '../feed/open-on-demand.js'
import type { Snapshot } from '../generation/generation.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { type EvictionReport, type Fleet, NO_REFUSED_PEERS, sumOfRefused } from '../reload/fleet.js'
import { admit } from './admit.js'
import { answerHost } from './answer-host.js'
import { Evictions } from './evictions.js'
import { FleetTransaction } from './fleet-transaction.js'
import { toPrimaryOf } from './incoming.js'
import type { Link } from './link.js'
import { Member } from './member.js'
import { MESSAGES_VERSION, type ToMember, type ToPrimary } from './messages.js'
import { Turns } from './turns.js'

export interface FleetParts {
  readonly engine: ReloadEngine
  readonly serving: Serving
  /** `null` without hosts on demand. */
  readonly onDemand: OnDemand | null
  readonly clock: Clock
  readonly logger: Logger
  /** Time limit of a member for each of its two steps, to build its contexts and to serve them, in milliseconds. */
  readonly timeoutMs: number
  /** Consecutive roll-outs that members may hold back by not answering in time, the last one included. */
  readonly patience: number
  /** Called for each evicted member. Must not throw. */
  readonly onEvicted: (member: EvictedMember, link: Link<ToMember>) => void
  /** Whether `onEvicted` may terminate members, so that it makes sense to wait a moment for that. */
  readonly endsEvicted: boolean
  /** Called once, when the fleet is closed. */
  readonly onClose: () => void
}

/** A fleet whose members are connected by links. */
export class LinkedFleet implements Fleet {
  readonly #parts: FleetParts
  readonly #members = new Set<Member>()
  readonly #turns = new Turns()
  readonly #evictions: Evictions
  readonly #transaction: FleetTransaction
  /** Refused by members that have left. */
  #refusedBefore: RefusedPeers = NO_REFUSED_PEERS
  #lastId = 0
  #closed = false

  constructor(parts: FleetParts) {
    this.#parts = parts
    this.#evictions = new Evictions(parts)
    this.#transaction = new FleetTransaction({
      ...{ clock: parts.clock, timeoutMs: parts.timeoutMs, patience: parts.patience, turns: this.#turns },
      members: () => this.#active(),
      policies: () => [...this.#members].flatMap(({ report }) => report.policies),
      evict: (member, cause) => this.#evictions.evict(member, cause),
      trustWithdrawn: () => this.#evictions.trustWithdrawn(this.#members),
    })
    parts.onDemand?.announceTo((name) => this.#announce(name))
  }

  /** Adds a link. Once the other end requests to join, it gets the current generation. */
  addLink(link: Link<ToMember>): void {
    let member: Member | null = null
    const { engine, logger } = this.#parts
    const logOnce = once((version: number | null) => {
      const fields = { member: member?.id ?? null, memberPid: member?.pid ?? null }
      if (version === null) logger.error(fields, 'a member sent an invalid fleet message, which was ignored')
      else
        logger.error(
          { ...fields, version, ours: MESSAGES_VERSION },
          'member could not join: it runs another release; start both from the same release',
        )
    })
    const misread = (version: number) => {
      logOnce(version)
      link.send({ kind: 'incompatible' })
    }
    link.onMessage((received) => {
      const message = toPrimaryOf(received)
      if (!message) {
        logOnce(null)
        member?.receiveInvalid()
      } else if (message.kind === 'join') {
        member = this.#join(member, message, link)
      } else if (message.kind === 'leave') {
        if (member) this.#leave(member)
        member = null
      } else if (message.kind === 'host') {
        const { onDemand } = this.#parts
        // An evicted member waits until it has rejoined.
        const isServed = member !== null && this.#members.has(member) && member.eviction === null
        void answerHost(message, isServed ? onDemand : null, link)
      } else {
        member?.receive(message, engine)
      }
    }, misread)
    link.onClose(() => {
      if (member) this.#leave(member)
      link.release()
    })
  }

  members(): readonly MemberStatus[] {
    return this.#byId().map((member) => member.status())
  }

  refusedPeers(): RefusedPeers {
    const counts = [...this.#members].map(({ report }) => report.refusedPeers)
    return sumOfRefused([this.#refusedBefore, ...counts])
  }

  listeners(): readonly Listener[] {
    return this.#active().flatMap(({ report }) => report.listeners)
  }

  policies(): readonly PeerPolicy[] {
    return this.#active().flatMap(({ report }) => report.policies)
  }

  evictions(): EvictionReport {
    return this.#evictions.report(this.#members)
  }

  stage(next: Snapshot, before: () => Snapshot, force: boolean): Promise<void> {
    return this.#transaction.stage(next, before, force)
  }

  abort(): void {
    this.#transaction.abort()
  }

  commit(): Promise<readonly MemberResult[]> {
    return this.#transaction.commit()
  }

  settle(): void {
    this.#transaction.settle()
  }

  revert(): void {
    this.#transaction.revert()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#parts.onDemand?.announceTo(null)
    for (const member of this.#members) {
      member.link.send({ kind: 'farewell' })
      member.left()
      member.link.release()
    }
    this.#members.clear()
    this.#parts.onClose()
  }

  /** Announces that a host on demand has changed. */
  #announce(name: string): void {
    for (const { link } of this.#active()) link.send({ kind: 'host-changed', name })
  }

  /** Members that have not been evicted. */
  #active(): Member[] {
    return this.#byId().filter(({ eviction }) => eviction === null)
  }

  /** In the order of their ids. The order in which they were admitted differs when two join at once. */
  #byId(): Member[] {
    return [...this.#members].sort((a, b) => a.id - b.id)
  }

  /** Requests to join are repeated until granted. Only an evicted member joins a second time. */
  #join(known: Member | null, message: Extract<ToPrimary, { kind: 'join' }>, link: Link<ToMember>): Member {
    const member = known && !known.hasLeft ? known : new Member(++this.#lastId, message, link)
    const serves = this.#members.has(member) && member.eviction === null
    if (!serves && !member.joining) void this.#admit(member)
    return member
  }

  async #admit(member: Member): Promise<void> {
    const { serving, clock, timeoutMs, logger } = this.#parts
    const isRejoin = member.eviction !== null
    const fields = { member: member.id, memberPid: member.pid }
    member.joining = true
    try {
      const isOpen = () => !this.#closed && !member.hasLeft
      await admit(member, { serving, clock, timeoutMs, turns: this.#turns, isOpen }, () => {
        member.admitted()
        this.#members.add(member)
      })
      if (!this.#members.has(member)) return
      const message = isRejoin ? 'member rejoined' : 'member joined'
      logger.info({ ...fields, members: this.#members.size }, message)
    } catch (error) {
      const { code, message } = error as ReloadError
      logger.error({ ...fields, code, reason: message }, 'member could not join')
      member.link.send({ kind: 'abort' })
      if (!isRejoin) member.left()
    } finally {
      member.joining = false
    }
  }

  #leave(member: Member): void {
    member.left()
    if (!this.#members.delete(member)) return
    this.#refusedBefore = sumOfRefused([this.#refusedBefore, member.report.refusedPeers])
    const { logger } = this.#parts
    logger.info({ member: member.id, memberPid: member.pid, members: this.#members.size }, 'member left')
  }
}

/** Runs `act` only at the first call, so that a misbehaving member cannot fill the log. */
function once<Argument>(act: (argument: Argument) => void): (argument: Argument) => void {
  let done = false
  return (argument) => {
    if (!done) act(argument)
    done = true
  }
}
