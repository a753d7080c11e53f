import type { Snapshot } from '../generation/generation.js'
import { runInSlices } from '../generation/slices.js'
import type { HostsBetween } from './hosts-between.js'
import type { Member } from './member.js'
import { packer, wipeWire, wireHost, wireSnapshot } from './wire.js'

/** Hosts in one message. */
const HOSTS_A_MESSAGE = 64

/** A generation on its way to a member. */
export interface Shipment {
  readonly next: Snapshot
  /** What the member serves; `null` to send the generation as a whole. */
  readonly before: Snapshot | null
  readonly hosts: HostsBetween
  /** What tickets are encrypted from, for a member that joins. */
  readonly secret: Uint8Array | null
}

/** Sends hosts in batches, with turns in between, then the rest. Stops when the member is not asked for it any more. */
export async function sendGeneration(
  member: Member,
  { next, before, hosts: { changed, removed }, secret }: Shipment,
): Promise<void> {
  const { link } = member
  const { number } = next.generation
  if (!member.isAsked(number)) return
  member.sending(number)
  const batches = function* () {
    for (let i = 0; i < changed.length && member.isAsked(number); i += HOSTS_A_MESSAGE) {
      const hosts = changed.slice(i, i + HOSTS_A_MESSAGE).map((host) => wireHost(host, link.asText))
      link.send({ kind: 'hosts', hosts }, () => wipeWire(hosts.map(({ pair }) => pair)))
      yield
    }
  }
  await runInSlices(batches(), { longestMs: 0 })
  if (!member.isAsked(number)) return
  const snapshot = wireSnapshot(next, before, removed, link.asText)
  const stage = { kind: 'stage', snapshot, welcome: secret && packer(link.asText)(secret) } as const
  link.send(stage, () => wipeWire(snapshot.pairs))
  member.sent(number)
}
