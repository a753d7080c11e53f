import type { Listener } from '../attach/verify-targets.js'
import type { Clock } from '../clock.js'
import { ReloadError } from '../errors.js'
import type { Snapshot } from '../generation/generation.js'
import { runInSlices } from '../generation/slices.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import type { Logger } from '../observe/logger.js'
import type { ReloadEngine } from '../reload-engine.js'
import type { Serving } from '../serving.js'
import type { Followers, MemberResult, MemberStatus } from './followers.js'
import { type HostsBetween, hostsBetween } from './hosts-between.js'
import { toPrimaryOf } from './incoming.js'
import type { Link } from './link.js'
import { Member, type MemberAnswer } from './member.js'
import { MESSAGES_VERSION, type ToMember } from './messages.js'
import { packer, wipeWire, wireHost, wireSnapshot } from './wire.js'

/** Hosts in one message. */
const HOSTS_A_MESSAGE = 64

/** What a fleet needs of the engine that it follows. */
export interface FleetParts {
  readonly engine: ReloadEngine
  readonly serving: Serving
  readonly clock: Clock
  readonly logger: Logger
  /** How long a member may take to build its contexts, and to take them over, in milliseconds. */
  readonly timeoutMs: number
  /** Called once it is closed, by whomever. */
  readonly onClose: () => void
}

/** The members that serve what an engine prepares, and the transaction that they are in. */
export class Fleet implements Followers {
  readonly #parts: FleetParts
  readonly #members = new Set<Member>()
  /** Those that staged, and what; a member that joins meanwhile waits for the end of the transaction. */
  #staged: { readonly members: readonly Member[]; readonly number: number } = NOTHING
  /** Ends with the transaction, or the welcome, before. */
  #turn: Promise<void> = Promise.resolve()
  #endTurn: () => void = () => {}
  #lastId = 0
  #closed = false

  constructor(parts: FleetParts) {
    this.#parts = parts
  }

  /** Waits for whoever is at the other end to join; gives it what is served then. */
  welcome(link: Link<ToMember>): void {
    let member: Member | null = null
    const { logger } = this.#parts
    const complain = once((version: number | null) => {
      const fields = { member: member?.id ?? null, memberPid: member?.pid ?? null }
      if (version === null)
        logger.error(fields, 'a member sent what is no message of a fleet; it was ignored')
      else
        logger.error(
          { ...fields, version, ours: MESSAGES_VERSION },
          'member could not join: it runs another release',
        )
    })
    const misread = (version: number) => {
      complain(version)
      link.send({ kind: 'incompatible' })
    }
    link.onMessage((received) => {
      const message = toPrimaryOf(received)
      if (!message) {
        complain(null)
        member?.misspoke()
      } else if (message.kind === 'join' && !member) {
        member = new Member(++this.#lastId, message.pid, link)
        void this.#take(member)
      } else {
        member?.receive(message, this.#parts.engine)
      }
    }, misread)
    link.onClose(() => {
      if (member) this.#leave(member)
      else link.release()
    })
  }

  members(): readonly MemberStatus[] {
    return [...this.#members].map((member) => member.status())
  }

  listeners(): readonly Listener[] {
    return [...this.#members].flatMap(({ report }) => report.listeners)
  }

  policies(): readonly PeerPolicy[] {
    return [...this.#members].flatMap(({ report }) => report.policies)
  }

  async stage(next: Snapshot, before: () => Snapshot): Promise<void> {
    await this.#takeTurn()
    const members = [...this.#members]
    const { number } = next.generation
    this.#staged = { members, number }
    try {
      const answers = this.#answers(members, number, 'staged')
      const since = before()
      const hosts = await hostsBetween(since, next)
      await Promise.all(members.map((member) => this.#send(member, next, since, hosts)))
      await answers
    } catch (error) {
      this.abort()
      throw error
    }
  }

  abort(): void {
    this.#end('abort')
  }

  async commit(): Promise<readonly MemberResult[]> {
    const { members, number } = this.#staged
    const answers = this.#answers(members, number, 'committed')
    for (const { link } of members) link.send({ kind: 'commit' })
    return (await answers).map(([{ id, pid }, answer]) => {
      if (answer === 'gone') return { id, pid, outcome: 'gone', longestSliceMs: 0 }
      return { id, pid, outcome: 'applied', longestSliceMs: answer.longestSliceMs }
    })
  }

  settle(): void {
    this.#end('settle')
  }

  revert(): void {
    this.#end('revert')
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const member of this.#members) {
      member.link.send({ kind: 'farewell' })
      member.left()
    }
    this.#members.clear()
    this.#parts.onClose()
  }

  /** The first generation of a member, in a turn of its own, so that it misses none and gets none twice. */
  async #take(member: Member): Promise<void> {
    const { serving, logger } = this.#parts
    await this.#takeTurn()
    try {
      if (this.#closed || member.gone) return
      const { snapshot, tickets } = serving
      const { number } = snapshot.generation
      const staged = this.#answers([member], number, 'staged')
      await this.#send(member, snapshot, null, await hostsBetween(null, snapshot), tickets.secret)
      await staged
      const committed = this.#answers([member], number, 'committed')
      member.link.send({ kind: 'commit' })
      await committed
      if (member.gone) return
      member.link.send({ kind: 'settle' })
      this.#members.add(member)
      logger.info({ member: member.id, memberPid: member.pid, members: this.#members.size }, 'member joined')
    } catch (error) {
      const { code, message } = error as ReloadError
      logger.error(
        { member: member.id, memberPid: member.pid, code, reason: message },
        'member could not join',
      )
      member.link.send({ kind: 'abort' })
      member.left()
    } finally {
      this.#endTurn()
    }
  }

  #leave(member: Member): void {
    member.left()
    if (!this.#members.delete(member)) return
    const { logger } = this.#parts
    logger.info({ member: member.id, memberPid: member.pid, members: this.#members.size }, 'member left')
  }

  /** Hosts in batches with turns in between, then the rest; the secret of tickets for one that joins. */
  async #send(
    { link }: Member,
    next: Snapshot,
    before: Snapshot | null,
    { changed, removed }: HostsBetween,
    secret: Uint8Array | null = null,
  ): Promise<void> {
    await runInSlices(
      (function* () {
        for (let i = 0; i < changed.length; i += HOSTS_A_MESSAGE) {
          const hosts = changed.slice(i, i + HOSTS_A_MESSAGE).map((host) => wireHost(host, link.asText))
          link.send({ kind: 'hosts', hosts }, () => wipeWire(hosts.map(({ pair }) => pair)))
          yield
        }
      })(),
      { longestMs: 0 },
    )
    const snapshot = wireSnapshot(next, before, removed, link.asText)
    const stage = { kind: 'stage', snapshot, welcome: secret && packer(link.asText)(secret) } as const
    link.send(stage, () => wipeWire(snapshot.pairs))
  }

  /** One answer of each. @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT` */
  async #answers(
    members: readonly Member[],
    number: number,
    kind: 'staged' | 'committed',
  ): Promise<(readonly [Member, Agreement])[]> {
    const { clock, timeoutMs } = this.#parts
    const missing = new Set(members)
    const all = members.map(async (member) => {
      const answer = await member.answer(number, kind)
      missing.delete(member)
      return [member, answer] as const
    })
    const late = new Promise<never>((_, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        const names = [...missing].map(({ id, pid }) => `${id} (pid ${pid})`).join(', ')
        const message = `member ${names} had not ${WORDS[kind]} the new certificates after ${timeoutMs} ms; everybody keeps the old ones`
        reject(new ReloadError('MEMBER_TIMEOUT', message))
      })
      void Promise.all(all).then(cancel)
    })
    const answers = Promise.race([Promise.all(all), late]).then((given) => given.map(assertAgreed))
    // Whoever asked may have failed before it came to wait for this.
    answers.catch(() => {})
    return await answers
  }

  async #takeTurn(): Promise<void> {
    const before = this.#turn
    let end = () => {}
    this.#turn = new Promise((resolve) => {
      end = resolve
    })
    await before
    this.#endTurn = end
  }

  #end(kind: 'settle' | 'abort' | 'revert'): void {
    for (const { link } of this.#staged.members) link.send({ kind })
    this.#staged = NOTHING
    this.#endTurn()
  }
}

/** Calls it at the first call only: a member that goes on and on fills no log. */
function once<Argument>(act: (argument: Argument) => void): (argument: Argument) => void {
  let done = false
  return (argument) => {
    if (!done) act(argument)
    done = true
  }
}

const NOTHING = { members: [], number: 0 }
const WORDS = { staged: 'built', committed: 'taken over' }

/** What is left of answers when nobody has refused. */
type Agreement = Exclude<MemberAnswer, { kind: 'refused' }> | 'gone'

function assertAgreed([member, answer]: readonly [Member, MemberAnswer | 'gone']): readonly [
  Member,
  Agreement,
] {
  if (answer === 'gone' || answer.kind !== 'refused') return [member, answer]
  const { id, pid } = member
  const { problems } = answer
  const reasons = problems.map(({ code, message }) => `${code}: ${message}`).join('; ')
  const message = `member ${id} (pid ${pid}) cannot serve it: ${reasons}`
  throw new ReloadError('MEMBER_REFUSED', message, {
    problems: [{ code: 'MEMBER_REFUSED', message }, ...problems],
  })
}
