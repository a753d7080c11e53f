/*
 * A worker thread that joins the engine of the thread that started it, serves on a port of its own, and tells which.
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

import { joinEngine } from '../../src/main/fleet/index.js'
import { createEcho } from './echo-server.js'
import { recordingLogger } from './recording-logger.js'

const { name } = workerData as { name: string }
const engine = await joinEngine({
  logger: recordingLogger(),
  name,
  timeoutMs: name === 'nobody' ? 500 : 10_000,
})
const server = createEcho(engine.serverOptions())
engine.attach(server)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
engine.on('orphaned', () => parentPort?.postMessage({ orphaned: true }))
parentPort?.on('message', (message: Order) => void obey(message))
parentPort?.postMessage({ port: (server.address() as AddressInfo).port })

interface Order {
  readonly reload?: boolean
  readonly close?: boolean
}

async function obey(message: Order): Promise<void> {
  if (message.reload) {
    const outcome = await engine.reload().then(
      (result) => result.outcome,
      ({ code }: { code: string }) => code,
    )
    parentPort?.postMessage({ outcome })
  }
  if (message.close) {
    await engine.close()
    parentPort?.postMessage({ state: engine.status().state })
  }
}
