import { setTimeout as delay } from 'node:timers/promises'

import { prepare as prepareAtOnce } from '../../../src/workers/prepare.js'
import type { PrepareReply, PrepareTask } from '../../../src/workers/protocol/prepare.js'

/** Takes a fifth of the limit that the tests set. */
export async function prepare(task: PrepareTask): Promise<PrepareReply> {
  await delay(200)
  return await prepareAtOnce(task)
}
