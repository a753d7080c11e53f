import assert from 'node:assert/strict'
import type { EventEmitter } from 'node:events'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import test from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import tls from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { closeWebSockets, createDrain, type Drain } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { longMode } from '../../../support/base/long-mode.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { closeAnswer, RawWebSockets, upgradeRequest } from '../../../support/clients/raw-web-socket.js'
import { http2Server } from '../../../support/servers/drains.js'

const DRAINS = longMode ? 1_000 : 8
const CLIENTS_OF_A_KIND = longMode ? 25 : 3

test('drains of a server with mixed connections leave no listener, timer, socket or object behind', async (t) => {
  const server = http2Server({ allowHTTP1: true })
  server.on('request', (_request, response) => response.end('answer'))
  const webSockets = new RawWebSockets(server as never)
  const before = listenersOf(server)
  const resourcesBefore = resources()
  const drains: WeakRef<Drain>[] = []

  for (let i = 0; i < DRAINS; i++) {
    const drain = createDrain({
      servers: [server],
      http2: i % 2 === 0 ? 'single' : 'two-phase',
      onUpgrade: closeWebSockets(webSockets),
      logger: recordingLogger(),
    })
    drains.push(new WeakRef(drain))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const clients = await Promise.all(
      Array.from({ length: CLIENTS_OF_A_KIND }, () => [
        idle(port),
        http1(port),
        http2(port),
        webSocket(port),
      ]).flat(),
    )
    await eventually('all are counted', () => {
      const { http1, http2, upgraded } = drain.connections()
      return http1 + http2 + upgraded === clients.length
    })
    const closed = once(server, 'close')
    drain.start()
    const { outcome } = await drain.complete()
    await closed
    assert.equal(outcome, 'drained')
    assert.deepEqual(Object.values(drain.connections()), [0, 0, 0, 0, 0, 0])
    // One for each hook that was created; it belongs to the application, not to the drain.
    webSockets.removeAllListeners('connection')
  }

  assert.deepEqual(listenersOf(server), before)
  await eventually('no handle is left', () => resources() <= resourcesBefore)
  collectGarbage()
  await pause(10)
  collectGarbage()
  const kept = drains.slice(0, -1).filter((drain) => drain.deref() !== undefined).length
  assert.equal(kept, 0)
  t.diagnostic(`${DRAINS} drains of ${4 * CLIENTS_OF_A_KIND} connections`)
})

function listenersOf(emitter: EventEmitter): Record<string, number> {
  return Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]))
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/** Sockets and timers that keep the process running. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout')
    .length
}

async function connect(port: number, protocol: string): Promise<Socket> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: [protocol],
  })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket.resume()
}

function idle(port: number): Promise<Socket> {
  return connect(port, 'http/1.1')
}

async function http1(port: number): Promise<Socket> {
  const socket = await connect(port, 'http/1.1')
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'data')
  return socket
}

async function http2(port: number): Promise<void> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  session.on('error', () => {})
  await once(session.request({ ':path': '/' }).resume(), 'end')
}

async function webSocket(port: number): Promise<Socket> {
  const socket = await connect(port, 'http/1.1')
  socket.write(upgradeRequest)
  await once(socket, 'data')
  socket.on('data', () => socket.write(closeAnswer))
  return socket
}
