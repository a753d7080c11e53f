import type { OnDemand } from '../feed/open-on-demand.js'
import type { Link } from './link.js'
import type { ToMember, ToPrimary, WireHostAnswer } from './messages.js'
import { wipeWire, wireHost } from './wire.js'

/**
 * Answers a member's request for a host on demand. The limits of the engine apply to the requests of all members together.
 *
 * @param onDemand `null` if this member gets no hosts now.
 */
export async function answerHost(
  { id, name, held }: Extract<ToPrimary, { kind: 'host' }>,
  onDemand: OnDemand | null,
  link: Link<ToMember>,
): Promise<void> {
  const found = onDemand ? await onDemand.share(name) : 'unavailable'
  const reply = (answer: WireHostAnswer, sent?: () => void) => link.send({ kind: 'host', id, answer }, sent)
  if (typeof found === 'string') return reply(found)
  if (found.number === held) return reply('unchanged')
  const host = wireHost(found.host, link.asText)
  reply({ number: found.number, host }, () => wipeWire([host.pair]))
}
