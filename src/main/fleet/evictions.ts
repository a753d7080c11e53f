import { isoTime } from '../../workers/base/iso-time.js'
import type { Problem } from '../../workers/base/problem.js'
import type { EvictedMember } from '../api/members.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { EvictionReport } from '../reload/fleet.js'
import { ACTIONS } from './answers.js'
import type { Link } from './link.js'
import type { Member } from './member.js'
import type { ToMember } from './messages.js'
import type { EvictionCause } from './patience.js'

/** How long the result of a withdrawal of trust waits for members that `onEvicted` terminates, in milliseconds. */
const END_LIMIT_MS = 1_000

interface EvictionsParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly timeoutMs: number
  readonly onEvicted: (member: EvictedMember, link: Link<ToMember>) => void
  readonly endsEvicted: boolean
}

/** Evicts members from a fleet that continues without them, and reports it in the log, in results and to listeners. */
export class Evictions {
  readonly #parts: EvictionsParts
  /** Evictions that no result has reported yet. Kept separately because the member may have ended by then. */
  #unreported: Problem[] = []

  constructor(parts: EvictionsParts) {
    this.#parts = parts
  }

  evict(member: Member, cause: EvictionCause): void {
    const { clock, logger, timeoutMs, onEvicted } = this.#parts
    const trustWithdrawn = cause.urgency === 'trust'
    const message = evictionMessage(member, cause, timeoutMs)
    const since = isoTime(clock.wallMs())
    const evicted = member.evict({ since, message, trustWithdrawn })
    this.#unreported.push(member.problem as Problem)
    member.link.send({ kind: 'evicted', reason: message })
    logger.error({ ...fieldsOf(member), reason: message }, 'member evicted; the fleet continues without it')
    onEvicted(evicted, member.link)
  }

  /** Handles a withdrawal of trust: members that were evicted before may accept clients that must be refused. */
  async trustWithdrawn(members: Iterable<Member>): Promise<void> {
    const { clock, logger, endsEvicted } = this.#parts
    const evicted = [...members].filter(({ eviction }) => eviction !== null)
    for (const member of evicted) {
      if (!member.eviction || member.eviction.trustWithdrawn) continue
      member.evict({ ...member.eviction, trustWithdrawn: true })
      logger.error(
        fieldsOf(member),
        'trust was withdrawn, and an evicted member may still accept clients without trust; end that member',
      )
    }
    if (!endsEvicted || evicted.length === 0) return
    await Promise.race([
      Promise.all(evicted.map((member) => member.ended)),
      new Promise<void>((resolve) => void clock.after(END_LIMIT_MS, resolve)),
    ])
  }

  report(members: Iterable<Member>): EvictionReport {
    const evicted = [...members].filter(({ eviction }) => eviction !== null)
    const withOldTrust = evicted.filter(({ eviction }) => eviction?.trustWithdrawn)
    const problems = problemsOf(withOldTrust)
    const reported = new Set(problems.map(({ message }) => message))
    const others = [...problemsOf(evicted), ...this.#unreported.splice(0)]
    const warnings = others.filter(({ message }) => {
      if (reported.has(message)) return false
      reported.add(message)
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
  trust: ', and a withdrawal of trust is not delayed again',
  life: ', and the served certificate expires too soon for another delay',
  forced: ', and the roll-out was forced',
}

function evictionMessage(member: Member, { question, urgency, heldBack }: EvictionCause, timeoutMs: number) {
  const { name, pid, threadId, report } = member
  const why = urgency
    ? REASONS[urgency]
    : `, in ${heldBack} ${heldBack === 1 ? 'roll-out' : 'roll-outs in a row'}`
  const risk = urgency === 'trust' ? ' and may accept clients that the others refuse' : ''
  const what = threadId > 0 ? 'that thread' : `that process (kill -KILL ${pid})`
  return (
    `${name} did not ${ACTIONS[question]} the new certificates within ${timeoutMs} ms${why}; the others continue without it; ` +
    `it serves generation ${report.generation}${risk} until it answers and joins again; if it does not answer, end ${what}`
  )
}
