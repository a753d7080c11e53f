import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { prepare as prepareWell } from '../../src/workers/prepare.js'
import type { PrepareReply, PrepareTask } from '../../src/workers/protocol/prepare.js'

export { verify } from '../../src/workers/verify.js'

/** Prepares, and while there is a file `gate` beside the certificate keeps the reply back; `held` says that it does. */
export async function prepare(task: PrepareTask): Promise<PrepareReply> {
  const dir = dirname(task.sources.pairs[0]?.cert ?? '')
  const reply = await prepareWell(task)
  while (existsSync(join(dir, 'gate'))) {
    writeFileSync(join(dir, 'held'), '')
    await delay(5)
  }
  return reply
}
