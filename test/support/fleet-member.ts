import type { TestContext } from 'node:test'
import { MessageChannel } from 'node:worker_threads'

import { FollowingEngine } from '../../src/main/fleet/following-engine.js'
import { type JoinedEngine, shareEngine } from '../../src/main/fleet/index.js'
import { openLink, threadChannel } from '../../src/main/fleet/link.js'
import type { ToMember, ToPrimary } from '../../src/main/fleet/messages.js'
import type { ReloadEngine } from '../../src/main/index.js'
import type { Logger } from '../../src/main/observe/logger.js'
import { recordingLogger } from './recording-logger.js'

/** A member of the engine's fleet on this thread: everything travels through a real port, and a test can attach servers. */
export async function joinHere(
  t: Pick<TestContext, 'after'>,
  engine: ReloadEngine,
  logger: Logger = recordingLogger(),
): Promise<JoinedEngine> {
  const { port1, port2 } = new MessageChannel()
  const shared = shareEngine(engine)
  shared.add(port1)
  const link = openLink<ToMember, ToPrimary>(threadChannel(port2), 'default')
  const member = await new FollowingEngine(link, logger).join(process.pid, 10_000)
  t.after(async () => {
    await member.close()
    port2.close()
    shared.close()
  })
  return member
}
