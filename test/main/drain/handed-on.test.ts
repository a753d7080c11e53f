/*
 * The contract with Node behind `handedOnTo`: a socket knows the HTTP server that it was passed to, and its HTTP/2 session. A
 * Node that stores them elsewhere fails here first.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Server } from 'node:net'
import test, { type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import tls, { type TLSSocket } from 'node:tls'

import { type HandedOn, handedOnTo, whenHandedOn } from '../../../src/main/drain/handed-on.js'
import { connectTls, identity } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const answer: RequestListener = (_request, response) => {
  response.end('answer')
}

const servers: Readonly<Record<string, { inner: Server; event: string; http2: boolean }>> = {
  'node:http': { inner: http.createServer(answer), event: 'connection', http2: false },
  'node:https': { inner: https.createServer(identity, answer), event: 'secureConnection', http2: false },
  'node:http2': { inner: http2.createServer(), event: 'connection', http2: true },
  'node:http2, secure': { inner: http2.createSecureServer(identity), event: 'secureConnection', http2: true },
}

for (const [name, { inner, event, http2: speaksHttp2 }] of Object.entries(servers)) {
  for (const late of [false, true]) {
    test(`a socket that is passed to a server of ${name} knows it${late ? ', also when that happens later' : ''}`, async (t) => {
      const socket = await accepted(t, speaksHttp2)
      assert.equal(handedOnTo(socket), null)
      if (late) await turn()
      const found: HandedOn[] = []
      whenHandedOn(socket, (handedOn) => found.push(handedOn))
      inner.emit(event, socket)
      await turn()

      assert.deepEqual(
        found.map(({ server }) => server),
        [inner],
      )
      assert.equal(typeof found[0]?.session?.goaway, speaksHttp2 ? 'function' : 'undefined')
    })
  }
}

test('a socket that the application keeps reports no server, and nothing is called after the stop', async (t) => {
  const socket = await accepted(t, false)
  const found: HandedOn[] = []
  const before = socket.listenerCount('newListener')
  const stop = whenHandedOn(socket, (handedOn) => found.push(handedOn))
  socket.on('close', () => {})
  await turn()
  stop()
  assert.equal(socket.listenerCount('newListener'), before)
  http.createServer(answer).emit('connection', socket)
  await turn()

  assert.deepEqual(found, [])
})

/** The server side of a TLS connection. */
async function accepted(t: TestContext, speaksHttp2: boolean): Promise<TLSSocket> {
  const outer = tls.createServer({ ...identity, ALPNProtocols: ['h2', 'http/1.1'] })
  const arriving = once(outer, 'secureConnection') as Promise<[TLSSocket]>
  const port = await listen(t, outer)
  await connectTls(t, port, { ALPNProtocols: [speaksHttp2 ? 'h2' : 'http/1.1'] })
  const [socket] = await arriving
  socket.on('error', () => {})
  return socket
}
