import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'

import type { ReloadEngine } from '../../api/reload-engine.js'
import type { Logger } from '../../base/logger.js'
import type { Drain } from '../../drain/handle.js'
import { shareEngine } from '../../fleet/index.js'
import { urlOf } from './address.js'
import type { ServeConfig } from './config.js'
import type { MemberConfig } from './member-order.js'
import { stdioOfMembers } from './member-output.js'
import { ServingProcesses } from './serving-processes.js'
import type { Site } from './site.js'

/** Processes that serve the generations of this one on a common address; each is a tracked session of the drain. */
export function memberProcesses(config: ServeConfig, engine: ReloadEngine, logger: Logger): Site {
  const { listen, upstream, drain: drainOptions, logLevel, processes, members } = config
  const member: MemberConfig = { listen, upstream, drain: drainOptions, logLevel }
  return {
    servers: [],
    async listen(drain: Drain) {
      // Each process accepts itself: with Node's distribution, a connection passed to the last closing process would hang.
      cluster.schedulingPolicy = cluster.SCHED_NONE
      cluster.setupPrimary({
        exec: fileURLToPath(new URL('./member.js', import.meta.url)),
        args: [JSON.stringify(member)],
        execArgv: [],
        // Sends keys as bytes, which can be wiped, instead of text.
        serialization: 'advanced',
        stdio: stdioOfMembers(),
      })
      const servingProcesses = new ServingProcesses(drain, logger)
      shareEngine(engine, {
        ...members,
        onEvicted: ({ evicted }, peer) => servingProcesses.evict(peer as Worker, evicted.trustWithdrawn),
      })
      const [first] = await Promise.all(Array.from({ length: processes }, () => servingProcesses.start()))
      return urlOf(first as { address: string; port: number })
    },
  }
}
