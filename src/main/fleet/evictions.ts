import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { EvictedMember } from '../api/members.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { LeftBehind } from '../reload/fleet.js'
import { UNDONE } from './answers.js'
import type { Link } from './link.js'
import type { Member } from './member.js'
import type { ToMember } from './messages.js'
import type { EvictionCause } from './patience.js'

/** How long the answer to a withdrawal of trust waits for the end of members that are being ended, in milliseconds. */
const END_LIMIT_MS = 1_000

interface EvictionsParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly timeoutMs: number
  readonly onEvicted: (member: EvictedMember, link: Link<ToMember>) => void
  readonly endsEvicted: boolean
}

/** Takes members out of a fleet that goes on without them, and says so in the log, in results and to listeners. */
export class Evictions {
  readonly #parts: EvictionsParts
  /** Those that no result has named yet: a member may have ended before there is one. */
  #unnamed: Problem[] = []

  constructor(parts: EvictionsParts) {
    this.#parts = parts
  }

  evict(member: Member, cause: EvictionCause): void {
    const { clock, logger, timeoutMs, onEvicted } = this.#parts
    const trustWithdrawn = cause.urgency === 'trust'
    const message = evictionMessage(member, cause, timeoutMs)
    const since = isoTime(clock.wallMs())
    const evicted = member.evict({ since, message, trustWithdrawn })
    this.#unnamed.push(member.problem as Problem)
    member.link.send({ kind: 'evicted', reason: message })
    logger.error({ ...fieldsOf(member), reason: message }, 'member evicted: the fleet goes on without it')
    onEvicted(evicted, member.link)
  }

  /** Trust has been withdrawn: members that were evicted before may accept clients that are to be refused. */
  async trustWithdrawn(members: Iterable<Member>): Promise<void> {
    const { clock, logger, endsEvicted } = this.#parts
    const evicted = [...members].filter(({ eviction }) => eviction !== null)
    for (const member of evicted) {
      if (!member.eviction || member.eviction.trustWithdrawn) continue
      member.evict({ ...member.eviction, trustWithdrawn: true })
      logger.error(
        fieldsOf(member),
        'trust was withdrawn, and an evicted member may still accept clients that it refuses; end that member',
      )
    }
    if (!endsEvicted || evicted.length === 0) return
    await Promise.race([
      Promise.all(evicted.map((member) => member.ended)),
      new Promise<void>((resolve) => void clock.after(END_LIMIT_MS, resolve)),
    ])
  }

  leftBehind(members: Iterable<Member>): LeftBehind {
    const evicted = [...members].filter(({ eviction }) => eviction !== null)
    const distrusting = evicted.filter(({ eviction }) => eviction?.trustWithdrawn)
    const problems = problemsOf(distrusting)
    const named = new Set(problems.map(({ message }) => message))
    const others = [...problemsOf(evicted), ...this.#unnamed.splice(0)]
    const warnings = others.filter(({ message }) => {
      if (named.has(message)) return false
      named.add(message)
      return true
    })
    return { problems, warnings }
  }
}

function problemsOf(members: readonly Member[]): Problem[] {
  return members.flatMap(({ problem }) => problem ?? [])
}

function fieldsOf({ id, pid, threadId, report, eviction }: Member): object {
  const { generation } = report
  return { member: id, memberPid: pid, threadId, generation, trustWithdrawn: eviction?.trustWithdrawn }
}

const REASONS = {
  trust: ', and a withdrawal of trust does not wait twice',
  life: ', and the served certificate ends too soon to wait longer',
  forced: ', and the roll-out was forced',
}

/** What is wrong, where, and what to do. */
function evictionMessage(member: Member, { question, urgency, heldBack }: EvictionCause, timeoutMs: number) {
  const { name, pid, threadId, report } = member
  const why = urgency
    ? REASONS[urgency]
    : `, in ${heldBack} ${heldBack === 1 ? 'roll-out' : 'roll-outs in a row'}`
  const risk = urgency === 'trust' ? ' and may accept clients that the others refuse' : ''
  const what = threadId > 0 ? 'that thread' : `that process (kill -KILL ${pid})`
  return (
    `${name} did not ${UNDONE[question]} the new certificates within ${timeoutMs} ms${why}; the others went on without it; ` +
    `it serves generation ${report.generation}${risk} until it answers and joins again; if it does not answer, end ${what}`
  )
}
