/*
 * A worker of `cluster-primary`: sends its process ID to every client.
 */

import { createServer } from 'node:tls'

import { joinEngine } from '../../src/main/fleet/index.js'
import type { ServerExtra } from '../../src/main/index.js'
import { recordingLogger } from '../base/recording-logger.js'

const engine = await joinEngine({ logger: recordingLogger() })
const extra = JSON.parse(process.env['SERVER_OPTIONS'] ?? '{}') as ServerExtra
const server = createServer(engine.serverOptions(extra), (socket) => {
  socket.on('error', () => {})
  socket.on('data', () => socket.write(`${process.pid}\n`))
  socket.on('end', () => socket.end())
})
engine.attach(server)
server.listen({ port: 0, host: '127.0.0.1' })
