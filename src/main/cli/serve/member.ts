/*
 * A serving process of `certswap serve --processes`: serves the generations of the primary, and drains on its order.
 */

import { createLogger } from '../../base/logger.js'
import { createDrain } from '../../drain/drain.js'
import { joinEngine } from '../../fleet/index.js'
import type { MemberConfig, MemberFailure, MemberOrder } from './member-order.js'
import { printProcessErrors } from './process-errors.js'
import { createServer, listen } from './site.js'

const config = JSON.parse(process.argv[2] ?? '{}') as MemberConfig
// A terminal sends its signals to all processes; only the primary handles them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
const logger = await createLogger({ level: config.logLevel })
printProcessErrors(logger)

const engine = await joinEngine({ logger })
const server = createServer(config, engine, logger)
const { onTrustRemoved = 'keep', deadlineMs = 25_000 } = config.drain
const drain = createDrain({ servers: [server], engine, onTrustRemoved, lameDuckMs: 0, deadlineMs, logger })
process.on('message', ({ serve, uri }: MemberOrder) => {
  // The primary handles the lame-duck phase and the deadline for all processes.
  if (serve === 'drain') drain.start({ deadlineMs: Infinity, ...(uri === undefined ? {} : { uri }) })
  else if (serve === 'force') drain.start({ deadlineMs: 0 })
})
// Without a primary, the certificates of this process would never be renewed.
process.once('disconnect', () => drain.start())
engine.attach(server)
try {
  await listen(server, config.listen)
} catch (error) {
  const { message } = error as Error
  process.send?.({ cannotListen: message } satisfies MemberFailure, () => process.exit(1))
}
const { outcome } = await drain.complete()
await engine.close()
process.exit(outcome === 'drained' ? 0 : 1)
