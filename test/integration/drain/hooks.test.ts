/*
 * Hooks that have no effect are reported: a wrong object is refused at once, a hook that is never called is logged at the
 * start, and a connection that no hook can end is logged at the drain. Connections count under their actual protocol, also if a
 * server of another kind accepted them.
 */

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Server } from 'node:net'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import test, { type TestContext } from 'node:test'
import tls from 'node:tls'

import WebSocket, { WebSocketServer } from 'ws'

import {
  closeEventStreams,
  closeLongPolls,
  closeWebSockets,
  createDrain,
  type TrackedSession,
} from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { upgradeRequest } from '../../../support/clients/raw-web-socket.js'
import { get } from '../../../support/clients/requests.js'
import {
  connectTls,
  drainOf,
  http2Client,
  httpsServer,
  identity,
  received,
  stillDrainOf,
} from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const UNKNOWN = /found nothing on this connection that it can close/

test('closeWebSockets refuses an object that is not a WebSocket server, and names it', () => {
  const refused: [given: unknown, message: RegExp][] = [
    [httpsServer(() => {}), /got a server of node:net, node:tls, node:http or node:http2/],
    [new Set(), /got an object of class Set/],
    [[new EventEmitter(), undefined], /got undefined/],
    [null, /got null/],
    ['wss://localhost', /got wss:\/\/localhost/],
  ]
  for (const [given, message] of refused) {
    assert.throws(() => closeWebSockets(given as EventEmitter), { code: 'OPTIONS_INVALID', message })
  }
  assert.throws(() => closeWebSockets([], 1000 as 1001), { code: 'OPTIONS_INVALID', message: /1001 or 1012/ })
})

test('the other helpers and track refuse objects that they cannot use', (t) => {
  const drain = createDrain({ servers: [], logger: recordingLogger() })
  t.after(() => drain.close())
  assert.throws(() => closeLongPolls(httpsServer(() => {}) as never), {
    code: 'OPTIONS_INVALID',
    message: /expected a Server of Socket.IO or of Engine.IO/,
  })
  assert.throws(() => closeEventStreams({ retry: 5 } as never), {
    code: 'OPTIONS_INVALID',
    message: /unknown option `retry`/,
  })
  assert.throws(() => closeEventStreams({ retryMs: Number.NaN }), { code: 'OPTIONS_INVALID' })
  assert.throws(() => drain.track({ goaway: () => {} } as unknown as TrackedSession), {
    code: 'OPTIONS_INVALID',
    message: 'track: expected `destroy` to be a function, and `closed` to be a promise',
  })
  assert.throws(() => createDrain({ servers: [], onResponse: 'end' as never }), {
    code: 'OPTIONS_INVALID',
    message: /`onResponse`: expected a function, or an array of functions/,
  })
})

test('closeLongPolls ignores requests that name no client, whatever they contain', () => {
  const closed: string[] = []
  const clients = { known: { close: () => closed.push('known') } }
  const hook = closeLongPolls({ clientsCount: 1, clients } as never)
  for (const url of ['//', 'http://[', '*', undefined, '/?sid=__proto__', '/?sid=constructor', '/?sid=other'])
    hook({} as never, {} as never, { url } as never)
  assert.deepEqual(closed, [])
  hook({} as never, {} as never, { url: '//?EIO=4&sid=known' } as never)
  assert.deepEqual(closed, ['known'])
})

test('a hook that these servers never call is logged when the drain is created', () => {
  const hooks = { onUpgrade: () => {}, onStream: () => {}, onResponse: () => {}, onRaw: () => {} }
  const unused = (...servers: Server[]): string[] => {
    const logger = recordingLogger()
    createDrain({ servers, logger, ...hooks }).close()
    return logger.lines.map(({ fields }) => (fields as { hook: string }).hook)
  }
  assert.deepEqual(unused(https.createServer(identity)), ['onStream', 'onRaw'])
  assert.deepEqual(unused(http2.createSecureServer(identity)), ['onRaw'])
  assert.deepEqual(unused(http.createServer(), tls.createServer(identity)), [])
  assert.deepEqual(unused(), ['onUpgrade', 'onResponse', 'onStream', 'onRaw'])
})

test('connections from before the drain was created are reported, because they are not drained', async (t) => {
  const server = tls.createServer(identity, (socket) => socket.on('error', () => {}))
  const port = await listen(t, server)
  await Promise.all([connectTls(t, port), connectTls(t, port)])
  const logger = recordingLogger()
  const drain = createDrain({ servers: [server], logger })
  t.after(() => drain.close())
  await eventually('it is logged', () => logger.lines.length > 0)

  const [line] = logger.lines
  assert.deepEqual([line?.level, line?.fields], ['warn', { connections: 2 }])
  assert.match(line?.message ?? '', /Call createDrain before listen/)
})

test('upgraded connections that are not WebSockets are logged with their path, once, and the rest at debug', async (t) => {
  const { drain, port, logger } = await drainOf(t, tunnelServer(), { onUpgrade: closeWebSockets() })
  const clients = [await upgraded(t, port), await upgraded(t, port)]
  drain.start()

  const unknown = () => logger.lines.filter(({ message }) => UNKNOWN.test(message))
  await eventually('both are logged', () => unknown().length === 2)
  const lines = unknown()
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['warn', 'debug'],
  )
  assert.equal((lines[0]?.fields as { request: string } | undefined)?.request, 'GET /socket')
  for (const client of clients) client.end()
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('several hooks share the connections: each ends those that it knows, and nothing is logged', async (t) => {
  const server = tunnelServer()
  const webSockets = new WebSocketServer({ noServer: true })
  server.prependListener('upgrade', (request, socket, head) => {
    if (request.url === '/ws') webSockets.handleUpgrade(request, socket, head, () => {})
  })
  const endTunnels = (socket: Duplex, _notice: unknown, { url }: { url?: string | undefined }) => {
    if (url === '/socket') socket.end('bye')
  }
  const { drain, port, logger } = await drainOf(t, server, { onUpgrade: [closeWebSockets(), endTunnels] })
  const tunnel = await upgraded(t, port)
  const client = new WebSocket(`wss://127.0.0.1:${port}/ws`, { rejectUnauthorized: false })
  t.after(() => client.terminate())
  await once(client, 'open')
  const closing = once(client, 'close')
  drain.start()

  assert.match(await received(tunnel, 'bye'), /bye/)
  assert.equal((await closing)[0], 1001)
  tunnel.end()
  assert.equal((await drain.complete()).outcome, 'drained')
  assert.deepEqual(
    logger.lines.filter(({ level }) => level === 'warn'),
    [],
  )
})

test('connections without a hook are logged at the drain, once for each protocol', async (t) => {
  const https = tunnelServer()
  const plain = net.createServer((socket) => socket.on('error', () => {}).resume())
  const logger = recordingLogger()
  const drain = createDrain({ servers: [https, plain], logger })
  t.after(() => drain.close())
  const tunnel = await upgraded(t, await listen(t, https))
  const raw = net.connect(await listen(t, plain), '127.0.0.1')
  t.after(() => raw.destroy())
  await eventually('it is counted', () => drain.connections().raw === 1)
  drain.start()

  const lines = logger.lines.filter(({ message }) => message.startsWith('no drain hook'))
  assert.deepEqual(lines.map(({ level, fields }) => [level, (fields as { hook: string }).hook]).sort(), [
    ['info', 'onRaw'],
    ['info', 'onUpgrade'],
  ])
  for (const socket of [tunnel, raw]) socket.end()
  assert.equal((await drain.complete()).outcome, 'drained')
})

for (const [name, makeServer] of Object.entries({
  'made with the option `server`, two of them': (server: https.Server) => {
    const [a, b] = ['/a', '/b'].map((path) => new WebSocketServer({ noServer: true, path }))
    server.on('upgrade', (request, socket, head) => {
      const chosen = request.url === '/a' ? a : b
      chosen?.handleUpgrade(request, socket, head, (webSocket) =>
        chosen.emit('connection', webSocket, request),
      )
    })
  },
  'that takes the upgrade itself, and emits no `connection`': (server: https.Server) => {
    const webSockets = new WebSocketServer({ noServer: true, clientTracking: false })
    server.on('upgrade', (request, socket, head) => webSockets.handleUpgrade(request, socket, head, () => {}))
  },
  'that decides on the upgrade later': (server: https.Server) => {
    const webSockets = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      setImmediate(() => webSockets.handleUpgrade(request, socket, head, () => {}))
    })
  },
})) {
  test(`closeWebSockets() finds the WebSockets of a server ${name}`, async (t) => {
    const server = httpsServer(() => {})
    makeServer(server)
    const { drain, port } = await drainOf(t, server, { onUpgrade: closeWebSockets([], 1012) })
    const clients = ['/a', '/b'].map(
      (path) => new WebSocket(`wss://127.0.0.1:${port}${path}`, { rejectUnauthorized: false }),
    )
    t.after(() => clients.map((client) => client.terminate()))
    await Promise.all(clients.map((client) => once(client, 'open')))
    const closing = clients.map((client) => once(client, 'close'))
    drain.start()

    for (const [code] of await Promise.all(closing)) assert.equal(code, 1012)
    assert.equal((await drain.complete()).closed.upgraded, 2)
  })
}

test('a WebSocket that is opened after the close notice is closed too', async (t) => {
  const server = httpsServer(() => {})
  const webSockets = new WebSocketServer({ noServer: true })
  const accept = new Promise<() => void>((resolve) => {
    server.on('upgrade', (request, socket, head) => {
      resolve(() => webSockets.handleUpgrade(request, socket, head, () => {}))
    })
  })
  const { drain, port } = await drainOf(t, server, { onUpgrade: closeWebSockets() })
  const client = new WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false })
  t.after(() => client.terminate())
  const closing = once(client, 'close')
  const handleUpgrade = await accept
  drain.start()
  handleUpgrade()

  assert.equal((await closing)[0], 1001)
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('connections that a TLS server passes on by ALPN count and end as HTTP/1.1 and HTTP/2', async (t) => {
  const listener: http.RequestListener = (_request, response) => {
    response.end('answer')
  }
  const http1 = http.createServer(listener)
  const h2 = http2.createServer((_request, response) => response.end('answer'))
  const server = tls.createServer({ ...identity, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    ;(socket.alpnProtocol === 'h2' ? h2 : http1).emit('connection', socket)
  })
  const { drain, port, left } = await drainOf(t, server)
  const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false })
  t.after(() => agent.destroy())
  const sessions = [http2Client(t, port), http2Client(t, port)]
  for (const session of sessions) assert.equal(await text(session.request({ ':path': '/' })), 'answer')
  assert.equal((await get({ port, agent })).body, 'answer')
  assert.deepEqual(ofHttp(drain.connections()), { http1: 1, http2: 2, raw: 0 })
  const goaways = sessions.map((session) => once(session, 'goaway'))
  drain.start()

  for (const [code] of await Promise.all(goaways)) assert.equal(code, http2.constants.NGHTTP2_NO_ERROR)
  const { outcome, closed } = await drain.complete()
  assert.deepEqual([outcome, ofHttp(closed)], ['drained', { http1: 1, http2: 2, raw: 0 }])
  assert.equal(left.length, 3)
  // A finished drain releases its servers: the same server can be in the next one.
  createDrain({ servers: [h2, http1, server], logger: recordingLogger() }).close()
})

test('a request whose first bytes chose the server is answered completely, also when it is read at once', async (t) => {
  const responses: http.ServerResponse[] = []
  const http1 = http.createServer((_request, response) => responses.push(response))
  const server = net.createServer((socket) => {
    socket.once('data', (bytes) => {
      http1.emit('connection', socket)
      socket.unshift(bytes)
    })
  })
  const logger = recordingLogger()
  const { drain, clock, port } = await stillDrainOf(t, server, { logger })
  const request = http.get({ port, agent: false, headers: { connection: 'keep-alive' } })
  await eventually('the request has arrived', () => responses.length === 1)
  drain.start()
  // Longer than the drain waits for a connection without a request.
  await clock.advance(5_000)
  responses[0]?.end('answer')

  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  assert.deepEqual([await text(response), response.headers.connection], ['answer', 'close'])
  assert.equal((await drain.complete()).closed.http1, 1)
})

function ofHttp({ http1, http2, raw }: { http1: number; http2: number; raw: number }) {
  return { http1, http2, raw }
}

/** A server that upgrades to a custom protocol, as a proxy does. */
function tunnelServer(): https.Server {
  const server = httpsServer(() => {})
  server.on('upgrade', (request, socket: Duplex) => {
    if (request.url !== '/socket') return
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    socket.on('end', () => socket.end()).on('error', () => {})
    socket.resume()
  })
  return server
}

async function upgraded(t: TestContext, port: number): Promise<tls.TLSSocket> {
  const client = await connectTls(t, port)
  client.write(upgradeRequest)
  await received(client, '101')
  return client
}
