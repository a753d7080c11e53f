/*
 * The process of `forkEngine`: an engine with a server, which reports its events to the parent process.
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { createReloadEngine, type ReloadEngineOptions, type ReloadError } from '../../src/main/index.js'
import { recordingLogger } from '../base/recording-logger.js'
import { createEcho } from '../servers/echo-server.js'
import type { EngineMessage } from './fork-engine.js'

const options = JSON.parse(process.argv[2] ?? '{}') as ReloadEngineOptions

process.once('disconnect', () => process.exit())
try {
  const engine = await createReloadEngine({ ...options, logger: recordingLogger() })
  engine.on('settled', (result) => report({ kind: 'settled', result }))
  engine.on('recovered', (recovery) => report({ kind: 'recovered', recovery }))
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  report({ kind: 'serving', port: (server.address() as AddressInfo).port })
} catch (error) {
  report({ kind: 'failed', problems: (error as ReloadError).problems })
}

function report(message: EngineMessage): void {
  process.send?.(message)
}
