import { on } from 'node:events'
import type { TestContext } from 'node:test'
import { MessageChannel, Worker } from 'node:worker_threads'

import type { Logger } from '../../src/main/base/logger.js'
import { type MemberEngine, type SharedEngine, shareEngine } from '../../src/main/fleet/index.js'
import { openLink, threadChannel } from '../../src/main/fleet/link.js'
import { LinkedMemberEngine } from '../../src/main/fleet/linked-member-engine.js'
import type { ToPrimary } from '../../src/main/fleet/messages.js'
import type { ReloadEngine } from '../../src/main/index.js'
import { eventually } from '../base/eventually.js'
import { recordingLogger } from '../base/recording-logger.js'

/** A member of the engine's fleet on this thread: messages pass through a real port, and a test can attach servers. */
export async function joinHere(
  t: Pick<TestContext, 'after'>,
  engine: ReloadEngine,
  logger: Logger = recordingLogger(),
): Promise<MemberEngine> {
  const { port1, port2 } = new MessageChannel()
  const shared = shareEngine(engine)
  shared.add(port1)
  const link = openLink<ToPrimary>(threadChannel(port2), 'default')
  const member = await new LinkedMemberEngine(link, logger).join(process.pid, 10_000)
  t.after(async () => {
    await member.close()
    port2.close()
    shared.close()
  })
  return member
}

/** A serving member on a separate thread (see fleet-thread.ts). */
export interface MemberThread {
  readonly worker: Worker
  readonly port: number
  /** The next reply of the thread. */
  next(): Promise<Record<string, unknown>>
}

/** @param name name of the shared engine. */
export async function joinOnThread(
  t: Pick<TestContext, 'after'>,
  shared: SharedEngine,
  name = 'default',
): Promise<MemberThread> {
  const worker = new Worker(new URL('./fleet-thread.js', import.meta.url), { workerData: { name } })
  t.after(() => worker.terminate())
  shared.add(worker)
  const messages = on(worker, 'message')
  const next = async (): Promise<Record<string, unknown>> => {
    for (;;) {
      const { value } = await messages.next()
      // Skips the fleet's own messages on the same channel.
      if (!('certswap' in value[0])) return value[0]
    }
  }
  const { port } = await next()
  await eventually('the thread is a member', () => shared.members().some(({ servers }) => servers === 1))
  return { worker, port: port as number, next }
}
