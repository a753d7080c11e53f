/*
 * A process that serves without a history, controlled by its parent. Run with --expose-gc: garbage is collected before it
 * answers.
 */

import http2 from 'node:http2'
import https from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import { shareEngine } from '../../src/main/fleet/index.js'
import { createReloadEngine, type ReloadEngine } from '../../src/main/index.js'
import { recordingLogger } from '../base/recording-logger.js'

const { DIR = '.', MEMBER } = process.env
const engine = await createReloadEngine({
  cert: `${DIR}/tls.crt`,
  key: `${DIR}/tls.key`,
  historySize: 0,
  logger: recordingLogger(),
  // Worker threads end at once, and with them the strings in their V8 heaps.
  worker: { idleTimeoutMs: 0 },
})
const options = engine.serverOptions()
const servers = [
  https.createServer(options),
  http2.createSecureServer(engine.serverOptions({ ALPNProtocols: ['h2'] })),
]
for (const server of servers) engine.attach(server)
if (MEMBER) {
  const shared = shareEngine(engine)
  const worker = new Worker(new URL('../fleet/fleet-thread.js', import.meta.url), {
    workerData: { name: 'default' },
  })
  shared.add(worker)
  while (shared.members().length === 0) await delay(5)
}
const orders: Record<string, (engine: ReloadEngine) => Promise<unknown>> = {
  renew: async () => (await engine.reload()).outcome,
  /** Only collects garbage. */
  collect: async () => 'collected',
  // A server created late, from options returned early.
  late: async () => {
    const server = https.createServer(options)
    engine.attach(server)
    return 'made'
  },
}
process.on('message', (order: string) => void obey(order))

async function obey(order: string): Promise<void> {
  const answer = await orders[order]?.(engine)
  for (let i = 0; i < 5; i++) {
    await delay(50)
    ;(globalThis as { gc?: () => void }).gc?.()
  }
  process.send?.(answer)
}
process.send?.('ready')
