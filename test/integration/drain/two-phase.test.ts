import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, constants } from 'node:http2'
import test from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

import {
  ACK,
  GOAWAY,
  goawayOf,
  NO_ERROR,
  NO_LAST_STREAM,
  ofType,
  PING,
  rawHttp2,
} from '../../../support/clients/raw-http2.js'
import { refusedRequests } from '../../../support/clients/refused-requests.js'
import {
  connectTls,
  drainOf,
  http2Client,
  http2Server,
  pausedHttp2,
  received,
  stillDrainOf,
} from '../../../support/servers/drains.js'

test('a stream that is opened between the first and the second GOAWAY is answered', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server, { http2: 'two-phase' })
  const client = await rawHttp2(t, port, { answerPings: false })
  client.get(1)
  const first = await streams.next()

  drain.start('https://other.example/')
  const announcement = await client.frame(ofType(GOAWAY))
  const ping = await client.frame(ofType(PING))
  client.get(3)
  const second = await streams.next()
  client.write({ ...ping, flags: ACK })
  const last = await client.frame((frame) => frame.type === GOAWAY && frame !== announcement)
  client.get(5)
  await pause(50)
  for (const stream of [first, second]) {
    stream.respond()
    stream.end('answered')
  }

  assert.deepEqual(goawayOf(announcement), {
    last: NO_LAST_STREAM,
    code: NO_ERROR,
    debug: 'https://other.example/',
  })
  assert.equal(goawayOf(last).last, 3)
  assert.equal(await client.body(1), 'answered')
  assert.equal(await client.body(3), 'answered')
  await client.ended
  assert.equal((await drain.complete()).outcome, 'drained')
  assert.equal(streams.waiting, 0)
  const order = client.frames.filter(({ type }) => type === GOAWAY || type === PING).map(({ type }) => type)
  assert.deepEqual(order.slice(0, 3), [GOAWAY, PING, GOAWAY])
  const lasts = client.frames.filter(ofType(GOAWAY)).map((frame) => goawayOf(frame).last)
  assert.deepEqual(
    lasts,
    lasts.toSorted((a, b) => b - a),
  )
})

test('a client that does not answer the ping gets its second GOAWAY after a second', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port, clock } = await stillDrainOf(t, server, { http2: 'two-phase' })
  const client = await rawHttp2(t, port, { answerPings: false })
  client.get(1)
  const stream = await streams.next()

  drain.start()
  const announcement = await client.frame(ofType(GOAWAY))
  await clock.advance(1_000)
  const last = await client.frame((frame) => frame.type === GOAWAY && frame !== announcement)
  stream.respond()
  stream.end()

  assert.equal(goawayOf(last).last, 1)
  await client.ended
})

test('the application reads the same from the socket and the session as without a tap', async (t) => {
  const seen: object[] = []
  for (const http2 of ['single', 'two-phase'] as const) {
    const { server, streams } = pausedHttp2()
    const { port } = await drainOf(t, server, { http2 })
    const client = await rawHttp2(t, port)
    client.get(1)
    const { session } = await streams.next()
    const socket = session?.socket as TLSSocket
    seen.push({
      remoteAddress: socket.remoteAddress,
      remoteFamily: socket.remoteFamily,
      hasRemotePort: socket.remotePort === client.socket.localPort,
      localAddress: socket.localAddress,
      hasLocalPort: socket.localPort === port,
      encrypted: socket.encrypted,
      alpnProtocol: socket.alpnProtocol,
      authorized: socket.authorized,
      protocol: socket.getProtocol(),
      peer: socket.getPeerCertificate(),
      sessionEncrypted: session?.encrypted,
      sessionAlpnProtocol: session?.alpnProtocol,
      origins: session?.originSet?.length,
    })
  }
  assert.deepEqual(seen[1], seen[0])
})

test('a server of both protocols gives its HTTP/1.1 clients no tap', async (t) => {
  const server = http2Server({ allowHTTP1: true })
  server.on('request', (_request, response) => response.end('served'))
  const { port, drain } = await drainOf(t, server, { http2: 'two-phase' })
  const client = await connectTls(t, port, { ALPNProtocols: ['http/1.1'] })
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')

  assert.match(await received(client, 'served'), /^HTTP\/1\.1 200/)
  assert.equal(drain.connections().http1, 1)
})

test('with 50 concurrent streams of 256 KiB no answer is cut short, before and during the drain', {
  timeout: 60_000,
}, async (t) => {
  const body = 'x'.repeat(256 * 1024)
  const server = http2Server()
  let arrived = 0
  server.on('stream', (stream) => {
    arrived++
    stream.on('error', () => {})
    stream.respond()
    stream.end(body)
    if (arrived === 300) drain.start()
  })
  const { drain, port } = await drainOf(t, server, { http2: 'two-phase' })
  const session = http2Client(t, port)
  await once(session, 'connect')

  const answers: Answer[] = []
  const worker = async () => {
    while (!session.closed && !session.destroyed) answers.push(await answerOf(session))
  }
  await Promise.all(Array.from({ length: 50 }, worker))

  const whole = answers.filter(({ bytes }) => bytes === body.length)
  assert.ok(whole.length >= 300, `${whole.length} of ${answers.length}`)
  // Node's client drops requests that it had not sent when it read the GOAWAY.
  for (const { bytes, code } of answers) {
    if (bytes !== body.length) assert.deepEqual([bytes, code], [0, constants.NGHTTP2_REFUSED_STREAM])
  }
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('at a round trip of 30 ms and a request each millisecond, 20 times fewer requests are refused than with one GOAWAY', {
  timeout: 60_000,
}, async (t) => {
  const single = await refusedRequests(t, 'single', DRAINS)
  const twoPhase = await refusedRequests(t, 'two-phase', DRAINS)

  t.diagnostic(`refused: ${single.refused} of ${single.sent} against ${twoPhase.refused} of ${twoPhase.sent}`)
  assert.ok(single.refused >= 20, `${single.refused} refused with one GOAWAY are too few to compare with`)
  assert.ok(twoPhase.refused * 20 <= single.refused, `${twoPhase.refused} against ${single.refused}`)
})

const DRAINS = 5

interface Answer {
  readonly bytes: number
  /** Result of the stream. */
  readonly code: number | undefined
}

async function answerOf(session: ClientHttp2Session): Promise<Answer> {
  const stream = session.request({ ':path': '/' })
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  stream.on('error', () => {})
  await new Promise((resolve) => stream.once('close', resolve))
  return { bytes, code: stream.rstCode }
}
