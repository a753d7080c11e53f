/*
 * The contract with the undocumented parts of node:http and node:http2 that the drain uses: a Node that works differently fails
 * here first. docs/node-internals.md lists them, with the consequences.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import test, { type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import tls from 'node:tls'

import { closeEventStreams } from '../../../src/main/drain/close-event-streams.js'
import { discardInput } from '../../../src/main/drain/node/half-close.js'
import { stopListening } from '../../../src/main/drain/node/stop-listening.js'
import { identity } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

const SERVERS = {
  'node:http': () => http.createServer(),
  'node:https': () => https.createServer(identity),
  'node:http2': () => http2.createSecureServer({ ...identity, allowHTTP1: true }),
} as const

for (const [name, create] of Object.entries(SERVERS)) {
  test(`after its last answer, a server of ${name} ends a connection with \`socket.destroySoon\``, async (t) => {
    const server: net.Server = create()
    let ended = 0
    server.on('request', ({ socket }: { socket: Socket }, response: ServerResponse) => {
      socket.destroySoon = () => {
        ended++
        socket.destroy()
      }
      response.setHeader('connection', 'close')
      response.end('last')
    })
    const client = await connected(t, server)
    client.resume().write(REQUEST)
    await once(client, 'close')
    assert.equal(ended, 1)
  })

  test(`a server of ${name} sends every header with \`response.writeHead\``, async (t) => {
    const server: net.Server = create()
    const called: string[] = []
    const ways: readonly ((response: ServerResponse) => unknown)[] = [
      (response) => response.end('body'),
      (response) => response.write('body') && response.end(),
      (response) => {
        response.flushHeaders()
        response.end()
      },
      (response) => response.writeHead(200).end(),
    ]
    for (const [at, send] of ways.entries()) {
      server.once('request', (_request: unknown, response: ServerResponse) => {
        const writeHead = response.writeHead as (...args: unknown[]) => unknown
        const seen = (...args: unknown[]) => {
          called.push(`way ${at}`)
          return writeHead.apply(response, args)
        }
        Object.assign(response, { writeHead: seen })
        send(response)
      })
      const client = await connected(t, server)
      client.write(REQUEST)
      await once(client, 'data')
      client.destroy()
    }
    assert.deepEqual(called, ['way 0', 'way 1', 'way 2', 'way 3'])
  })
}

test('headers that are passed only to `writeHead` are in a field of the response', async (t) => {
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    const { _header: sent } = response as unknown as { _header?: unknown }
    response.end(String(sent))
  })
  const client = await connected(t, server)
  client.write(REQUEST)
  const [answer] = (await once(client, 'data')) as [Buffer]
  assert.match(answer.toString().split('\r\n\r\n')[1] ?? '', /^Content-Type: text\/event-stream$/m)
})

test('an event stream whose headers cannot be read is not changed', async () => {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const response = Object.assign(stream, {
    headersSent: true,
    getHeader: () => undefined,
    _header: undefined,
  })
  closeEventStreams()(response as unknown as ServerResponse, notice, {} as http.IncomingMessage)
  await turn()
  assert.equal(stream.writableEnded, false)
})

test('a listener of `data` makes the HTTP parser release the socket', async (t) => {
  const server = http.createServer()
  let requests = 0
  server.on('request', (_request, response: ServerResponse) => {
    requests++
    response.end('answer')
  })
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = await connected(t, server)
  const [socket] = await accepted
  client.write(REQUEST)
  await once(client, 'data')
  discardInput(socket)
  const before = socket.bytesRead
  client.write(REQUEST)
  while (socket.bytesRead === before) await turn()
  await turn()
  assert.equal(requests, 1)
})

test('a server without idle connections to close is closed like one of node:net', async (t) => {
  const server = https.createServer(identity)
  await listen(t, server)
  Object.setPrototypeOf(server, tls.Server.prototype)
  assert.equal('closeIdleConnections' in server, false)
  const closed = once(server, 'close')
  stopListening(server)
  await closed
})

const notice = { uri: undefined, reason: undefined, remainingMs: 0 }

/** A client of a server of either kind. */
async function connected(t: TestContext, server: net.Server): Promise<Socket> {
  if (!server.listening) await listen(t, server)
  const { port } = server.address() as net.AddressInfo
  const isSecure = server instanceof tls.Server
  const client = isSecure
    ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    : net.connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  await once(client, isSecure ? 'secureConnect' : 'connect')
  return client
}
