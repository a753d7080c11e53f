import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ServerHttp2Stream } from 'node:http2'
import test from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { eventually } from '../../../support/base/eventually.js'
import { curl, withoutCurlHttp2 } from '../../../support/clients/curl.js'
import {
  ALTSVC,
  CANCEL,
  GOAWAY,
  goawayOf,
  HEADERS,
  isLast,
  NO_ERROR,
  ofType,
  PING,
  type RawHttp2,
  RST_STREAM,
  rawHttp2,
  SETTINGS,
  WINDOW_UPDATE,
} from '../../../support/clients/raw-http2.js'
import {
  connectTls,
  drainOf,
  http2Client,
  http2Server,
  pausedHttp2,
  readToEnd,
  stillDrainOf,
} from '../../../support/servers/drains.js'

/** More than the kernel accepts at once. */
const BODY = 'x'.repeat(16 * 1024 * 1024)

test('running streams end byte for byte after the GOAWAY, and a stream opened later is never processed', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const client = await rawHttp2(t, port)
  client.get(1, '/1')
  client.get(3, '/3')
  const first = await streams.next()
  const second = await streams.next()

  drain.start()
  const goaway = goawayOf(await client.frame(ofType(GOAWAY)))
  client.get(5, '/too-late')
  await pause(50)
  first.respond()
  first.end('one')
  second.respond()
  second.end('three')

  assert.deepEqual(goaway, { last: 3, code: NO_ERROR, debug: '' })
  assert.equal(await client.body(1), 'one')
  assert.equal(await client.body(3), 'three')
  await client.ended
  assert.equal((await drain.complete()).outcome, 'drained')
  assert.equal(streams.waiting, 0)
  const lasts = client.frames.filter(ofType(GOAWAY)).map((frame) => goawayOf(frame).last)
  assert.deepEqual([...new Set(lasts)], [3])
})

// Not Node's client: up to Node 24 it loses the end of some answers that end after a GOAWAY, whichever server sends it.
test('a long answer to a slow reader arrives completely', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const client = await rawHttp2(t, port)
  openWindows(client)
  client.get(1)
  const serving = await streams.next()
  serving.respond()
  serving.end(BODY)
  await client.frame(ofType(HEADERS))

  drain.start()
  let arrived = false
  const body = client.body(1).finally(() => {
    arrived = true
  })
  while (!arrived) {
    client.socket.pause()
    await pause(1)
    client.socket.resume()
    await Promise.race([body, once(client.socket, 'data')])
  }

  assert.equal((await body).length, BODY.length)
  assert.equal((await drain.complete()).outcome, 'drained')
})

// Node's client, which loses it if a session ends together with its GOAWAY.
test('the unread rest of a finished answer is not lost', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const stream = http2Client(t, port).request({ ':path': '/' })
  const serving = await streams.next()
  serving.once('close', () => drain.start())
  serving.respond()
  serving.end('x'.repeat(300_000))

  let bytes = 0
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length
    await pause(10)
  }

  assert.equal(bytes, 300_000)
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('idle sessions are closed at once', async (t) => {
  const { drain, port } = await drainOf(t, http2Server())
  const client = await rawHttp2(t, port)
  await eventually('the session is counted', () => drain.connections().http2 === 1)

  drain.start()

  await client.ended
  assert.equal(goawayOf(await client.frame(ofType(GOAWAY))).code, NO_ERROR)
  client.socket.end()
  const result = await drain.complete()
  assert.equal(result.outcome, 'drained')
  assert.equal(result.closed.http2, 1)
})

test('a stream that never ends by itself is ended by the hook, and the session closes', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server, {
    onStream: (stream, { uri, reason, remainingMs }) =>
      stream.end(`event: bye\ndata: ${uri} ${reason} ${remainingMs <= 25_000}\n\n`),
  })
  const client = await rawHttp2(t, port)
  client.get(1, '/events')
  const stream = await streams.next()
  stream.respond({ 'content-type': 'text/event-stream' })
  stream.write('event: hello\n\n')

  drain.start({ uri: 'https://other.example/', reason: 'upgrade' })

  const expected = 'event: hello\n\nevent: bye\ndata: https://other.example/ upgrade true\n\n'
  assert.equal(await client.body(1), expected)
  await client.ended
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a stream that never ends is reset at the deadline, so that its client knows that it is incomplete', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server, { deadlineMs: 200 })
  const client = await rawHttp2(t, port)
  client.get(1, '/events')
  const stream = await streams.next()
  stream.on('error', () => {})
  stream.respond()
  stream.write('hello')

  drain.start()

  const reset = await client.frame(ofType(RST_STREAM))
  assert.equal(reset.payload.readUInt32BE(0), CANCEL)
  await client.ended
  assert.equal(client.frames.some(isLast), false)
  const result = await drain.complete()
  assert.equal(result.outcome, 'forced')
  assert.equal(result.forced.http2, 1)
})

test('the redirect is in the GOAWAY, and in an ALTSVC for the requested origin', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const client = await rawHttp2(t, port)
  client.get(1)
  const stream = await streams.next()

  drain.start('https://other.example:8443/path')
  const goaway = goawayOf(await client.frame(ofType(GOAWAY)))
  const altsvc = await client.frame(ofType(ALTSVC))
  stream.respond()
  stream.end()

  assert.deepEqual(goaway, { last: 1, code: NO_ERROR, debug: 'https://other.example:8443/path' })
  const originBytes = altsvc.payload.readUInt16BE(0)
  assert.equal(altsvc.payload.subarray(2, 2 + originBytes).toString(), 'https://localhost')
  assert.equal(altsvc.payload.subarray(2 + originBytes).toString(), 'h2="other.example:8443"; ma=60')
  await client.ended
})

test('a peer that answers no ping counts as dead, and does not delay the drain until the deadline', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port, left, clock } = await stillDrainOf(t, server, { pingTimeoutMs: 5_000 })
  const dead = await rawHttp2(t, port, { answerPings: false })
  dead.get(1)
  const unheard = await streams.next()
  unheard.on('error', () => {})
  unheard.respond()

  drain.start()
  await dead.frame(ofType(GOAWAY))
  await clock.advance(5_000)
  await clock.advance(100)

  assert.equal((await drain.complete()).outcome, 'drained')
  assert.deepEqual(
    left.map(({ departure }) => departure),
    ['abandoned'],
  )
})

test('a peer that answers pings stays alive, however long its stream is silent', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port, left, clock } = await stillDrainOf(t, server, { pingTimeoutMs: 1_000 })
  const client = await rawHttp2(t, port)
  client.get(1)
  const stream = await streams.next()
  stream.respond()

  drain.start()
  for (let pings = 1; pings <= 5; pings++) {
    await eventually('a ping', () => client.frames.filter(ofType(PING)).length >= pings)
    await pause(20)
    await clock.advance(1_000)
  }
  stream.end('alive')

  assert.equal(await client.body(1), 'alive')
  client.socket.end()
  assert.equal((await drain.complete()).outcome, 'drained')
  assert.deepEqual(
    left.map(({ departure }) => departure),
    ['closed'],
  )
})

test('a server of both protocols drains its HTTP/1.1 clients as HTTP/1.1', async (t) => {
  const server = http2Server({ allowHTTP1: true })
  server.on('request', (_request, response) => response.end('served'))
  const { drain, port } = await drainOf(t, server)
  const one = await connectTls(t, port, { ALPNProtocols: ['http/1.1'] })
  const two = await rawHttp2(t, port)
  one.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const reading = readToEnd(one)
  two.get(1)
  assert.equal(await two.body(1), 'served')
  const { http1, http2: sessions } = drain.connections()
  assert.deepEqual([http1, sessions], [1, 1])

  drain.start()

  assert.equal((await reading).how, 'end')
  await two.ended
  two.socket.end()
  const { outcome, closed } = await drain.complete()
  assert.deepEqual([outcome, closed.http1, closed.http2], ['drained', 1, 1])
})

test('a server with only a stream listener gets no requests for its streams', async (t) => {
  const { server, streams } = pausedHttp2()
  const { port } = await drainOf(t, server)
  const client = await rawHttp2(t, port)
  client.get(1)
  const stream = await streams.next()

  assert.equal(server.listenerCount('request'), 0)
  assert.equal(stream.listenerCount('trailers'), 0)
  stream.respond()
  stream.end()
})

test('plain HTTP/2 servers are drained too', async (t) => {
  const server = http2.createServer()
  server.on('stream', (stream: ServerHttp2Stream) => {
    drain.start()
    stream.respond()
    stream.end('last')
  })
  const { drain, port } = await drainOf(t, server)
  const session = http2.connect(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':path': '/' })
  let body = ''
  for await (const chunk of stream.setEncoding('utf8')) body += chunk

  assert.equal(body, 'last')
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('curl gets a whole HTTP/2 answer during a drain', { skip: withoutCurlHttp2 }, async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const answer = curl('-k', '--http2', '--fail', '-w', '%{http_version}', `https://127.0.0.1:${port}/`)
  const stream = await streams.next()

  drain.start()
  stream.respond()
  stream.end(BODY.slice(0, 500_000))

  assert.deepEqual(await answer, { code: 0, stdout: `${BODY.slice(0, 500_000)}2`, stderr: '' })
  assert.equal((await drain.complete()).outcome, 'drained')
})

/** TCP alone limits how much the server may send. */
function openWindows(client: RawHttp2): void {
  const window = Buffer.alloc(6)
  window.writeUInt16BE(0x4) // SETTINGS_INITIAL_WINDOW_SIZE
  window.writeUInt32BE(2 ** 31 - 1, 2)
  client.write({ type: SETTINGS, flags: 0, stream: 0, payload: window })
  const more = Buffer.alloc(4)
  more.writeUInt32BE(2 ** 31 - 1 - 65_535)
  client.write({ type: WINDOW_UPDATE, flags: 0, stream: 0, payload: more })
}
