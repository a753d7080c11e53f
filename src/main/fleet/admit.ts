import { monotonicMs } from '../../workers/base/monotonic.js'
import type { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { ACTIONS, assertAgreed, type Question, type Replies, repliesOf } from './answers.js'
import { hostsBetween } from './hosts-between.js'
import type { Member } from './member.js'
import { sendGeneration } from './send-generation.js'
import type { Turns } from './turns.js'

/**
 * Minimum time limit for a member to build its first generation, in milliseconds, while it delays no other member: it is
 * starting, and receives a whole generation instead of the difference that a roll-out sends.
 */
const MIN_JOIN_MS = 10_000

interface AdmitParts {
  readonly serving: Serving
  readonly clock: Clock
  readonly timeoutMs: number
  readonly turns: Turns
  /** Whether the member and the fleet are still open. */
  readonly isOpen: () => boolean
}

/**
 * Sends a member the complete current generation. The member builds it in parallel with roll-outs, so that a member that is
 * suspended while it joins delays none. Only its commit takes a turn, so that it misses no roll-out and gets none twice. If a
 * roll-out overtakes it, it starts over, this time within a turn.
 *
 * @param admitted - called once the member serves the current generation, before any other roll-out.
 * @throws ReloadError `MEMBER_REFUSED` or `MEMBER_TIMEOUT`
 */
export async function admit(member: Member, parts: AdmitParts, admitted: () => void): Promise<void> {
  if (await admitOnce(member, parts, null, admitted)) return
  await admitOnce(member, parts, await parts.turns.take(), admitted)
}

/** @returns `false` if a roll-out has overtaken the member, so that it must start over. */
async function admitOnce(
  member: Member,
  { serving, clock, timeoutMs, turns, isOpen }: AdmitParts,
  turn: (() => void) | null,
  admitted: () => void,
): Promise<boolean> {
  let endTurn = turn
  const limitMs = turn ? timeoutMs : Math.max(timeoutMs, MIN_JOIN_MS)
  try {
    if (!isOpen()) return true
    const { snapshot, tickets } = serving
    const { number } = snapshot.generation
    const isCurrent = () => serving.snapshot.generation.number === number
    const replies = repliesOf([member], number, 'staged', { clock, timeoutMs: limitMs })
    const hosts = await hostsBetween(null, snapshot)
    await sendGeneration(member, { next: snapshot, before: null, hosts, secret: tickets.secret })
    const staged = await replies
    assertInTime(staged, 'staged', limitMs)
    // Keys that are no longer served have been overwritten: a member that received them too late refuses them.
    if (!endTurn && !isCurrent()) return false
    assertNotRefused(staged)
    endTurn ??= await turns.take()
    if (!isOpen()) return true
    if (!isCurrent()) return false
    const committed = repliesOf([member], number, 'committed', { clock, timeoutMs })
    member.link.send({ kind: 'commit', number, untilMs: monotonicMs() + timeoutMs })
    const answer = await committed
    assertInTime(answer, 'committed', timeoutMs)
    assertNotRefused(answer)
    if (!isOpen()) return true
    member.link.send({ kind: 'settle' })
    admitted()
    return true
  } finally {
    endTurn?.()
  }
}

function assertInTime(replies: Replies, question: Question, timeoutMs: number): void {
  for (const [member, reply] of replies) {
    if (reply !== 'late') continue
    const message = `${member.name} did not ${ACTIONS[question]} its first certificates within ${timeoutMs} ms`
    throw new ReloadError('MEMBER_TIMEOUT', message)
  }
}

function assertNotRefused(replies: Replies): void {
  replies.forEach(assertAgreed)
}
