/*
 * A worker thread that joins the engine of its parent thread, serves on its own port, and sends that port.
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'

import { joinEngine } from '../../src/main/fleet/index.js'
import { recordingLogger } from '../base/recording-logger.js'
import { createEcho } from '../servers/echo-server.js'

const { name } = workerData as { name: string }
const engine = await joinEngine({
  logger: recordingLogger(),
  name,
  timeoutMs: name === 'unshared' ? 500 : 10_000,
})
const server = createEcho(engine.serverOptions())
engine.attach(server)
const sockets: TLSSocket[] = []
server.on('secureConnection', (socket) => sockets.push(socket))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
engine.on('orphaned', () => parentPort?.postMessage({ orphaned: true }))
parentPort?.on('message', (message: Order) => void obey(message))
parentPort?.postMessage({ port: (server.address() as AddressInfo).port })

interface Order {
  readonly reload?: boolean
  readonly close?: boolean
  /** Blocks its event loop for this number of milliseconds, or permanently with `Infinity`. */
  readonly block?: number
  /** Replies with the subjects of distrusted clients. */
  readonly distrusted?: boolean
}

async function obey(message: Order): Promise<void> {
  if (message.reload) {
    const outcome = await engine.reload().then(
      (result) => result.outcome,
      ({ code }: { code: string }) => code,
    )
    parentPort?.postMessage({ outcome })
  }
  if (message.distrusted) {
    const found = [...(await engine.distrusted(sockets))]
    parentPort?.postMessage({ distrusted: found.map((one) => one.getPeerX509Certificate()?.subject) })
  }
  if (message.block !== undefined) {
    parentPort?.postMessage({ blocked: true })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.block)
  }
  if (message.close) {
    await engine.close()
    parentPort?.postMessage({ state: engine.status().state })
  }
}
