import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import test from 'node:test'
import tls from 'node:tls'

import { stopListening } from '../../../src/main/drain/node/stop-listening.js'
import { tapServer } from '../../../src/main/drain/node/tap-server.js'
import { identity } from '../../../support/servers/drains.js'

// The contract with undocumented parts of Node that the drain uses (docs/node-internals.md): these tests fail on a Node without
// them.

test('HTTP/2 servers have the listener and the options that a tap needs, and get them back', () => {
  for (const [server, event] of [
    [http2.createSecureServer({ ...identity, maxSessionMemory: 20 }), 'secureConnection'],
    [http2.createServer(), 'connection'],
  ] as const) {
    const before = server.listeners(event)
    const taps = tapServer(server, event)
    assert.ok(taps, `no tap on ${process.version}`)
    assert.notDeepEqual(server.listeners(event), before)
    taps.remove()
    assert.deepEqual(server.listeners(event), before)
  }
})

test('if a tap is not possible, nothing is changed', () => {
  const server = tls.createServer(identity)
  const before = server.listeners('secureConnection')
  assert.equal(tapServer(server, 'secureConnection'), null)
  assert.deepEqual(server.listeners('secureConnection'), before)
})

for (const [kind, server, client] of [
  ['http', http.createServer(), (port: number) => net.connect(port, '127.0.0.1')],
  ['https', https.createServer(identity), secureClient],
  ['http2', http2.createSecureServer({ ...identity, allowHTTP1: true }), secureClient],
  ['plain http2', http2.createServer(), (port: number) => net.connect(port, '127.0.0.1')],
  ['tls', tls.createServer(identity), secureClient],
] as const) {
  test(`the listeners of a server of ${kind} can be closed without a connection, and it can listen again`, async (t) => {
    server.on('request', (_request: unknown, response: http.ServerResponse) => response.end('served'))
    server.on('secureConnection', (socket: tls.TLSSocket) => socket.on('error', () => {}))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const accepted = once(server, 'connection')
    const socket = client(port)
    t.after(() => socket.destroy())
    const [raw] = (await accepted) as [net.Socket]
    if (socket instanceof tls.TLSSocket) await once(socket, 'secureConnect')
    if (kind === 'http' || kind === 'https' || kind === 'http2') {
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await once(socket, 'data')
    }

    stopListening(server)
    stopListening(server)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual([server.listening, raw.destroyed, socket.destroyed], [false, false, false])
    assert.equal(Object.hasOwn(server, 'closeIdleConnections'), false)

    const closed = once(server, 'close')
    socket.destroy()
    await closed
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  })
}

function secureClient(port: number): tls.TLSSocket {
  return tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
}
