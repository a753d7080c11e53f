import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import test, { type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'

import { closeWebSockets, type DrainOptions } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import {
  closeAnswer,
  closingOf,
  RawWebSockets,
  upgradeRequest,
} from '../../../support/clients/raw-web-socket.js'
import {
  connectTls,
  drainOf,
  http2Server,
  httpsServer,
  readToEnd,
  received,
  stillDrainOf,
} from '../../../support/servers/drains.js'

test('a WebSocket client gets a close frame with code 1001 and the redirect as the reason, and answers in its own time', async (t) => {
  const { server, options } = webSocketServer()
  const { drain, port, left } = await drainOf(t, server, options)
  const client = await webSocket(t, port)
  assert.equal(drain.connections().upgraded, 1)
  assert.equal(drain.connections().http1, 0)

  drain.start('wss://other.example/socket')
  const [frame] = (await once(client, 'data')) as [Buffer]
  assert.deepEqual(closingOf(frame), { code: 1001, reason: 'wss://other.example/socket' })
  assert.deepEqual(left, [])
  client.write(closeAnswer)

  assert.equal((await readToEnd(client)).how, 'end')
  const { outcome, closed } = await drain.complete()
  assert.deepEqual([outcome, closed.upgraded], ['drained', 1])
})

test('clients that should reconnect at once get code 1012', async (t) => {
  const { server, options } = webSocketServer(1012)
  const { drain, port } = await drainOf(t, server, options)
  const client = await webSocket(t, port)
  drain.start({ reason: 'deploy' })

  const [frame] = (await once(client, 'data')) as [Buffer]
  assert.deepEqual(closingOf(frame), { code: 1012, reason: 'deploy' })
})

test('a reason that does not fit into a close frame is omitted', async (t) => {
  const { server, options } = webSocketServer()
  const { drain, port } = await drainOf(t, server, options)
  const client = await webSocket(t, port)
  drain.start(`https://other.example/${'x'.repeat(200)}`)

  const [frame] = (await once(client, 'data')) as [Buffer]
  assert.deepEqual(closingOf(frame), { code: 1001, reason: '' })
})

test('a WebSocket that is opened during the close notices gets a close frame too', async (t) => {
  const { server, options } = webSocketServer()
  const { drain, port } = await drainOf(t, server, options)
  const early = await connectTls(t, port)
  early.write(upgradeRequest.slice(0, -2))
  await webSocket(t, port)
  drain.start()

  early.write('\r\n')
  const { text } = await readUntilClosed(early)
  assert.match(text, /^HTTP\/1\.1 101 /)
  assert.equal(closingOf(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')).code, 1001)
})

test('a client that never answers the close frame is cut after its time limit, before the deadline', async (t) => {
  const { server, options } = webSocketServer()
  const { drain, port, clock, left } = await stillDrainOf(t, server, { ...options, closeTimeoutMs: 5_000 })
  const client = await webSocket(t, port)
  const reading = readToEnd(client)
  drain.start()
  await clock.advance(4_990)
  assert.deepEqual(left, [])
  await clock.advance(20)
  await clock.advance(100)

  assert.equal((await reading).how, 'end')
  const { outcome, abandoned } = await drain.complete()
  assert.deepEqual([outcome, abandoned.upgraded], ['drained', 1])
})

test('an upgraded connection without a hook lives until it closes by itself, or until the deadline', async (t) => {
  const server = httpsServer(() => {})
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    socket.on('end', () => socket.end()).on('error', () => {})
    socket.pipe(socket)
  })
  const { drain, port, clock, left } = await stillDrainOf(t, server, { deadlineMs: 10_000 })
  const first = await webSocket(t, port)
  const second = await webSocket(t, port)
  drain.start()
  await clock.advance(9_990)
  second.write('still here')
  assert.match(await received(second, 'still here'), /still here/)
  first.end()
  await eventually('the first has closed', () => left.length === 1)

  const reading = readToEnd(second)
  await clock.advance(20)
  await clock.advance(100)

  assert.equal((await reading).how, 'end')
  const { outcome, closed, forced } = await drain.complete()
  assert.deepEqual([outcome, closed.upgraded, forced.upgraded], ['forced', 1, 1])
})

test('a hook that throws is logged, and the drain continues', async (t) => {
  const { server } = webSocketServer()
  const { drain, port, logger } = await drainOf(t, server, {
    onUpgrade: () => {
      throw new Error('no goodbye')
    },
  })
  const client = await webSocket(t, port)
  drain.start()

  await eventually('the failure is logged', () =>
    logger.lines.some(({ message }) => message === 'a drain hook failed'),
  )
  client.end(closeAnswer)
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a tunnel made by CONNECT counts as an upgraded connection', async (t) => {
  const server = httpsServer(() => {})
  server.on('connect', (_request, socket: Duplex) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket.on('error', () => {})
  })
  const { drain, port } = await drainOf(t, server, { onUpgrade: (socket) => socket.end('bye') })
  const client = await connectTls(t, port)
  client.write('CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n')
  await received(client, '200 OK')
  assert.equal(drain.connections().upgraded, 1)
  drain.start()

  assert.equal((await readToEnd(client)).text, 'bye')
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('WebSockets on the HTTP/1.1 side of an HTTP/2 server are drained', async (t) => {
  const server = http2Server({ allowHTTP1: true })
  const { drain, port } = await drainOf(t, server, {
    onUpgrade: closeWebSockets(new RawWebSockets(server as unknown as import('node:http').Server)),
  })
  const client = await webSocket(t, port)
  drain.start()

  const [frame] = (await once(client, 'data')) as [Buffer]
  assert.equal(closingOf(frame).code, 1001)
  client.end(closeAnswer)
  assert.equal((await drain.complete()).outcome, 'drained')
})

function webSocketServer(code?: 1001 | 1012): {
  server: ReturnType<typeof httpsServer>
  options: Pick<DrainOptions, 'onUpgrade'>
} {
  const server = httpsServer(() => {})
  return { server, options: { onUpgrade: closeWebSockets(new RawWebSockets(server), code) } }
}

async function webSocket(t: TestContext, port: number): Promise<TLSSocket> {
  const client = await connectTls(t, port, { ALPNProtocols: ['http/1.1'] })
  client.write(upgradeRequest)
  await received(client, '\r\n\r\n')
  return client
}

/** All bytes up to the close frame, which is answered. */
async function readUntilClosed(client: TLSSocket): Promise<{ text: string }> {
  const reading = readToEnd(client)
  client.on('data', (chunk: Buffer) => {
    if (chunk.includes(0x88)) client.write(closeAnswer)
  })
  return reading
}
