/*
 * Socket.IO with a drain: `closeWebSockets(io.engine.ws)` found nothing, and reported nothing. Clients are closed whatever
 * transport they use, and reconnect by themselves.
 */

import assert from 'node:assert/strict'
import type https from 'node:https'
import { type TestContext, test } from 'node:test'

import { Server } from 'socket.io'
import { io as connect, type Socket } from 'socket.io-client'

import { closeLongPolls, closeWebSockets, type DrainOptions } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { startExample } from '../../../support/processes/example-process.js'
import { drainOf, httpsServer, none } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'
import { front } from '../../../support/servers/front.js'

const transports: readonly (readonly ('polling' | 'websocket')[])[] = [
  ['websocket'],
  ['polling'],
  ['polling', 'websocket'],
]

/** Every object that a user may take for the WebSocket server of Socket.IO. */
const given: Readonly<Record<string, (io: Server) => Parameters<typeof closeWebSockets>[0]>> = {
  nothing: () => [],
  io: (io) => io as never,
  'io.engine': (io) => io.engine as never,
  'io.engine.ws': (io) => (io.engine as unknown as { ws: never }).ws,
}

for (const [name, serversOf] of Object.entries(given)) {
  test(`closeWebSockets closes the WebSockets of Socket.IO when it is given ${name}`, async (t) => {
    const { server, io } = socketIo(t)
    const { drain, port, logger } = await drainOf(t, server, { onUpgrade: closeWebSockets(serversOf(io)) })
    const client = await connected(t, port, ['websocket'])
    const gone = reasonOf(client)
    drain.start()

    assert.equal(await gone, 'transport close')
    const { outcome, closed } = await drain.complete()
    assert.deepEqual([outcome, closed], ['drained', { ...none, upgraded: 1 }])
    assert.deepEqual(
      logger.lines.filter(({ level }) => level === 'warn'),
      [],
    )
  })
}

for (const client of transports) {
  test(`a client of Socket.IO that uses ${client.join(' and then ')} leaves at once, and continues with another server`, async (t) => {
    const [first, second] = [socketIo(t), socketIo(t)]
    const hooks = ({ io }: { io: Server }): Omit<DrainOptions, 'servers'> => ({
      onUpgrade: closeWebSockets(),
      onResponse: closeLongPolls(io),
    })
    const a = await drainOf(t, first.server, hooks(first))
    const b = await drainOf(t, second.server, hooks(second))
    const socket = await connected(t, await front(t, [a.port, b.port]), client, true)
    if (client.length > 1) await upgraded(socket)
    if (client.length === 1 && client[0] === 'polling') {
      await eventually('a poll waits', () => polled(first.io).some(({ transport }) => transport.writable))
    }
    const gone = reasonOf(socket)
    const back = new Promise((resolve) => socket.once('connect', () => resolve(undefined)))
    a.drain.start()

    assert.equal(await gone, 'transport close')
    assert.equal((await a.drain.complete()).outcome, 'drained')
    await back
    assert.equal(await socket.timeout(10_000).emitWithAck('say', 'hello'), 'hello')
    assert.equal(second.io.engine.clientsCount, 1)
  })
}

test('data that a long-polling client is sending at the drain is received', async (t) => {
  const { server, io } = socketIo(t)
  const words: string[] = []
  io.on('connection', (socket) => socket.on('say', (word: string) => words.push(word)))
  const { drain, port } = await drainOf(t, server, { onResponse: closeLongPolls(io) })
  const client = await connected(t, port, ['polling'])
  // Its request is in progress when the drain starts.
  const arrived = new Promise<void>((resolve) => {
    server.prependListener('request', ({ method }) => method === 'POST' && resolve())
  })
  client.emit('say', 'x'.repeat(300_000))
  await arrived
  drain.start()

  assert.equal((await drain.complete()).outcome, 'drained')
  assert.deepEqual(
    words.map(({ length }) => length),
    [300_000],
  )
})

test('examples/drain/socket-io.js exits at SIGTERM with 0, and its client continues with another server', {
  skip: onFirstNodeOnly,
}, async (t) => {
  const authority = createAuthority()
  const dir = tempDir(t)
  writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  const example = startExample(t, 'drain/socket-io.js', { dir })
  const port = Number((await example.next((line) => line.startsWith('listening'))).split(' ').at(-1))
  const ports = [port, await listen(t, socketIo(t).server)]
  const socket = await connected(t, await front(t, ports), ['polling', 'websocket'], true)
  assert.match((await socket.timeout(10_000).emitWithAck('say', 'hello')) as string, /^hello from /)
  const back = new Promise((resolve) => socket.once('connect', () => resolve(undefined)))

  assert.equal(await example.stop('SIGTERM'), 0)
  await back
  assert.equal(await socket.timeout(10_000).emitWithAck('say', 'hello'), 'hello')
})

function socketIo(t: TestContext): { server: https.Server; io: Server } {
  const server = httpsServer(() => {})
  const io = new Server(server)
  t.after(() => io.engine.close())
  io.on('connection', (socket) => {
    socket.on('say', (word: string, answer: ((word: string) => void) | undefined) => answer?.(word))
  })
  return { server, io }
}

async function connected(
  t: TestContext,
  port: number,
  transports: readonly ('polling' | 'websocket')[],
  reconnection = false,
): Promise<Socket> {
  const socket = connect(`https://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    transports: [...transports],
    reconnection,
    reconnectionDelay: 10,
    forceNew: true,
  })
  t.after(() => socket.disconnect())
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject)
  })
  return socket
}

function polled({ engine }: Server): { transport: { writable: boolean } }[] {
  return Object.values((engine as unknown as { clients: object }).clients)
}

function upgraded({ io: { engine } }: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (engine.transport.name === 'websocket') resolve()
    else engine.once('upgrade', () => resolve())
  })
}

function reasonOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once('disconnect', resolve))
}
