import type { TestContext } from 'node:test'
import { MessageChannel } from 'node:worker_threads'

import type { SharedEngine } from '../../src/main/fleet/index.js'
import { MESSAGES_VERSION, type ToMember } from '../../src/main/fleet/messages.js'
import { eventually } from '../base/eventually.js'

/** A member of a fleet whose replies the test controls. */
export interface FleetPuppet {
  readonly pid: number
  /** Kinds of the messages sent to it, read or not. */
  readonly sent: string[]
  /** The messages that it answers from now on; a suspended process answers none. */
  answers: 'all' | 'none' | 'staging'
  /** Answers all unanswered messages, and all later ones. */
  wake(): void
  say(message: object): void
}

/** A member that has joined. */
export async function fleetPuppet(
  t: Pick<TestContext, 'after'>,
  shared: SharedEngine,
  pid: number,
): Promise<FleetPuppet> {
  const puppet = unjoinedMember(t, shared, pid)
  puppet.say({ kind: 'join', pid, threadId: 0 })
  await eventually('the member has joined', () => shared.members().some((member) => member.pid === pid))
  return puppet
}

/** A member that has not requested to join yet. */
export function unjoinedMember(
  t: Pick<TestContext, 'after'>,
  shared: SharedEngine,
  pid: number,
): FleetPuppet {
  const { port1, port2 } = new MessageChannel()
  t.after(() => port2.close())
  const sent: string[] = []
  let unread: ToMember[] = []
  let served = 0
  let staged = 0
  const say = (message: object) =>
    port2.postMessage({ certswap: 'default', version: MESSAGES_VERSION, message })
  const reply = (kind: 'staged' | 'committed', number: number) => {
    const report = {
      generation: served,
      servers: 1,
      connections: { [served]: 1 },
      listeners: [],
      policies: [],
      refusedPeers: { PEER_NOT_ALLOWED: 0, TRUST_DOMAIN: 0 },
    }
    say({ kind, number, longestSliceMs: 0, report })
  }
  const read = (message: ToMember) => {
    if (message.kind === 'stage') {
      staged = message.snapshot.generation.number
      reply('staged', staged)
    } else if (message.kind === 'commit') {
      served = staged
      reply('committed', served)
    } else if (message.kind === 'evicted') say({ kind: 'join', pid, threadId: 0 })
  }
  const puppet: FleetPuppet = {
    ...{ pid, sent, say },
    answers: 'all',
    wake() {
      puppet.answers = 'all'
      for (const message of unread.splice(0)) read(message)
    },
  }
  port2.on('message', ({ message }: { message: ToMember }) => {
    sent.push(message.kind)
    const reads = puppet.answers === 'all' || (puppet.answers === 'staging' && message.kind === 'stage')
    if (reads) read(message)
    else unread = [...unread, message]
  })
  shared.add(port1)
  return puppet
}
