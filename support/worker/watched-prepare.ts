import { BroadcastChannel } from 'node:worker_threads'

import { prepare as prepareWell } from '../../src/workers/prepare.js'
import type { PrepareReply, PrepareTask } from '../../src/workers/protocol/prepare.js'
import { REPLY_CHANNEL, type ReplyKind } from './prepare-replies.js'

export { lookOut } from '../../src/workers/tasks.js'

/** Tells the main thread what kind of reply each task gets, and hands it on as it is. */
export async function prepare(task: PrepareTask): Promise<PrepareReply> {
  const reply = await prepareWell(task)
  const channel = new BroadcastChannel(REPLY_CHANNEL)
  channel.postMessage(kindOf(reply))
  channel.close()
  return reply
}

/** A reply with buffers is wrapped for its transfer, so only `unchanged` can be read here. */
function kindOf(reply: PrepareReply): ReplyKind {
  if (reply.kind !== 'unchanged') return 'prepared or refused'
  return reply.record ? 'unchanged, with a new record' : 'unchanged'
}
