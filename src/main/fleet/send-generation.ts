import type { Snapshot } from '../generation/generation.js'
import { runInSlices } from '../generation/slices.js'
import type { HostsBetween } from './hosts-between.js'
import type { Member } from './member.js'
import { packer, wipeWire, wireHost, wireSnapshot } from './wire.js'

/** Hosts in one message. */
const HOSTS_PER_MESSAGE = 64

/** A generation to send to a member. */
export interface Shipment {
  readonly next: Snapshot
  /** The snapshot that the member serves; `null` to send the complete generation. */
  readonly before: Snapshot | null
  readonly hosts: HostsBetween
  /** The secret of the ticket keys, for a member that joins. */
  readonly secret: Uint8Array | null
}

/** Sends hosts in batches, with turns of the event loop in between, then the rest. Stops when the request has ended. */
export async function sendGeneration(
  member: Member,
  { next, before, hosts: { changed, removed }, secret }: Shipment,
): Promise<void> {
  const { link } = member
  const { number } = next.generation
  if (!member.isAsked(number)) return
  member.sending(number)
  const batches = function* () {
    for (let i = 0; i < changed.length && member.isAsked(number); i += HOSTS_PER_MESSAGE) {
      const hosts = changed.slice(i, i + HOSTS_PER_MESSAGE).map((host) => wireHost(host, link.asText))
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
