import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import type { Member, MemberAnswer, MemberReply } from './member.js'
import { afterTimeLimit } from './time-limit.js'

/** A request to members: to build a generation, or to serve it. */
export type Question = 'staged' | 'committed'

/** The requested action, for messages. */
export const ACTIONS: Record<Question, string> = { staged: 'build', committed: 'take over' }

/** A reply other than a refusal. */
export type Agreement = Exclude<MemberAnswer, { kind: 'refused' }> | 'gone' | 'late'

export type Replies = readonly (readonly [Member, MemberReply])[]

/** The reply of each member; `late` for a member that has not answered within `timeoutMs`. */
export async function repliesOf(
  members: readonly Member[],
  number: number,
  question: Question,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Replies> {
  const replies = members.map(async (member) => [member, await member.answer(number, question)] as const)
  const cancel = afterTimeLimit(clock, timeoutMs, () => {
    for (const member of members) member.giveUp(number)
  })
  const all = await Promise.all(replies)
  cancel()
  return all
}

/** @throws ReloadError `MEMBER_REFUSED`, followed by the member's own problems. */
export function assertAgreed([member, reply]: Replies[number]): readonly [Member, Agreement] {
  if (reply === 'gone' || reply === 'late' || reply.kind !== 'refused') return [member, reply]
  const { problems } = reply
  const reasons = problems.map(({ code, message }) => `${code}: ${message}`).join('; ')
  const message = `${member.name} cannot serve the new certificates: ${reasons}`
  throw new ReloadError('MEMBER_REFUSED', message, {
    problems: [{ code: 'MEMBER_REFUSED', message }, ...problems],
  })
}
