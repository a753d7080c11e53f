import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import tls from 'node:tls'

import { createDrain } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import {
  connectTls,
  drainOf,
  identity,
  readToEnd,
  received,
  stillDrainOf,
} from '../../../support/servers/drains.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

test('the hook of a TLS connection sends a close notice, and the connection ends when the peer has closed', async (t) => {
  const { drain, port } = await drainOf(t, createEcho(identity), {
    onRaw: (socket, { uri, reason }) => socket.write(`GOODBYE ${uri} ${reason}\n`),
  })
  const client = await connectTls(t, port)
  client.write('hello')
  await received(client, 'hello')
  assert.equal(drain.connections().raw, 1)

  drain.start({ uri: 'https://other.example/', reason: 'deploy' })
  assert.match(await received(client, '\n'), /GOODBYE https:\/\/other\.example\/ deploy/)
  client.end()

  const { outcome, closed } = await drain.complete()
  assert.deepEqual([outcome, closed.raw], ['drained', 1])
})

test('a TLS connection without a hook is served until the deadline, and then ended before it is cut', async (t) => {
  const { drain, port, clock } = await stillDrainOf(t, createEcho(identity), { deadlineMs: 10_000 })
  const client = await connectTls(t, port, { allowHalfOpen: true })
  client.write('hello')
  await received(client, 'hello')
  drain.start()
  await clock.advance(9_990)
  client.write('still here')
  await received(client, 'still here')
  const reading = readToEnd(client)
  await clock.advance(20)
  await once(client, 'end')
  await clock.advance(100)
  client.end()

  assert.equal((await reading).how, 'end')
  const { outcome, forced } = await drain.complete()
  assert.deepEqual([outcome, forced.raw], ['forced', 1])
})

test('plain TCP servers are drained too', async (t) => {
  const server = net.createServer((socket) => socket.on('error', () => {}))
  const { drain, port } = await drainOf(t, server, { onRaw: (socket) => socket.end('bye') })
  const client = net.connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  await eventually('the connection is counted', () => drain.connections().raw === 1)
  drain.start()

  assert.deepEqual(await readToEnd(client), { text: 'bye', how: 'end' })
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a handshake that finishes during the close notices is drained like the rest', async (t) => {
  const { drain, port } = await drainOf(t, tls.createServer(identity), {
    onRaw: (socket) => socket.end('too late'),
  })
  const raw = net.connect(port, '127.0.0.1')
  t.after(() => raw.destroy())
  await eventually('the handshake is counted', () => drain.connections().handshake === 1)
  drain.start()
  assert.equal(drain.state, 'closing')

  const client = tls.connect({ socket: raw, rejectUnauthorized: false })
  assert.deepEqual(await readToEnd(client), { text: 'too late', how: 'end' })
  const { outcome, closed } = await drain.complete()
  assert.deepEqual([outcome, closed.raw, closed.handshake], ['drained', 1, 0])
})

test('a handshake that never finishes has a time limit, and does not delay the drain longer', async (t) => {
  const { drain, port, clock, left } = await stillDrainOf(t, tls.createServer(identity), {
    incompleteMs: 2_000,
  })
  const raw = net.connect(port, '127.0.0.1')
  t.after(() => raw.destroy())
  await eventually('the handshake is counted', () => drain.connections().handshake === 1)
  drain.start()
  await clock.advance(1_990)
  assert.deepEqual(left, [])
  await clock.advance(20)

  const { outcome, abandoned } = await drain.complete()
  assert.deepEqual([outcome, abandoned.handshake], ['drained', 1])
})

test('failed handshakes leave nothing behind in the count', async (t) => {
  const server = tls.createServer({ ...identity, minVersion: 'TLSv1.3' })
  const { drain, port } = await drainOf(t, server)
  for (let i = 0; i < 5; i++) {
    const client = tls.connect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    await assert.rejects(once(client, 'secureConnect'))
  }
  await eventually('all have closed', () => drain.connections().handshake === 0)
  assert.equal(drain.connections().raw, 0)
})

test('TLS over a Unix socket is drained, though its handshakes are not counted', async (t) => {
  const path = join(tempDir(t), 'socket')
  const server = tls.createServer(identity, (socket) => socket.on('error', () => {}))
  const { drain } = await drainOf(t, server, { onRaw: (socket) => socket.end('bye') })
  server.close()
  await once(server, 'close')
  server.listen(path)
  await once(server, 'listening')
  const client = tls.connect({ path, rejectUnauthorized: false })
  t.after(() => client.destroy())
  await eventually('the connection is counted', () => drain.connections().raw === 1)
  drain.start()

  assert.equal((await readToEnd(client)).text, 'bye')
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a socket that one watched server passes on to another is counted once, under its final kind', async (t) => {
  const inner = createEcho(identity)
  const outer = net.createServer((socket: Socket) => inner.emit('connection', socket))
  const drain = createDrain({ servers: [outer, inner], logger: recordingLogger() })
  t.after(() => drain.close())
  const client = await connectTls(t, await listen(t, outer))
  client.write('hello')
  await received(client, 'hello')

  const { raw, handshake } = drain.connections()
  assert.deepEqual([raw, handshake], [1, 0])
})
