import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import net from 'node:net'
import test, { type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { eventually } from '../../../support/base/eventually.js'
import {
  connectTls,
  drainOf,
  httpsServer,
  none,
  pausedHttps,
  readToEnd,
  received,
  stillDrainOf,
} from '../../../support/servers/drains.js'

const BODY = 'x'.repeat(1024 * 1024)

test('a request that runs when the drain starts gets its whole answer, Connection: close, and a FIN', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  client.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()

  drain.start()
  assert.deepEqual(drain.connections(), { ...none, http1: 1 })
  response.end(BODY)

  const { text, how } = await readToEnd(client)
  assert.match(text, /^HTTP\/1\.1 200 OK\r\nconnection: close\r\n/i)
  assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), BODY)
  assert.equal(how, 'end')
  const result = await drain.complete()
  assert.equal(result.outcome, 'drained')
  assert.deepEqual(result.closed, { ...none, http1: 1 })
})

test('a client that is still sending when the last answer ends is not reset, and can read all of it', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port, { allowHalfOpen: true })
  client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY.length}\r\n\r\n`)
  const [, response] = await requests.next()

  drain.start()
  response.end(BODY)
  await received(client, '\r\n\r\n')
  const reading = readToEnd(client)
  await once(client, 'end')
  client.write(BODY)
  await pause(50)
  client.end()

  assert.equal((await reading).how, 'end')
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('an answer whose headers were sent before the drain is finished, and the connection ends after it', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  response.write('first,')
  await received(client, 'first,')

  drain.start()
  const reading = readToEnd(client)
  response.end('last')

  const { text, how } = await reading
  assert.match(text, /last/)
  assert.doesNotMatch(text, /connection: close/i)
  assert.equal(how, 'end')
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a pipelined request is answered before the connection ends', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  client.write(
    'GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n'.concat('GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  )
  const [, first] = await requests.next()
  const [, second] = await requests.next()
  first.write('one,')

  drain.start()
  const reading = readToEnd(client)
  first.end('1')
  second.end('two')

  const { text, how } = await reading
  assert.match(text, /one,[\s\S]*HTTP\/1\.1 200 OK\r\nconnection: close[\s\S]*two/i)
  assert.equal(how, 'end')
})

test('if two pipelined answers have unsent headers, only the last one has Connection: close', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { lameDuckMs: 5_000, deadlineMs: 20_000 })
  const client = await connectTls(t, port)
  drain.start()
  client.write(
    'GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n'.concat('GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  )
  const [, first] = await requests.next()
  const [, second] = await requests.next()
  first.end('one')
  second.end('two')

  const { text } = await readToEnd(client)
  const values = [...text.matchAll(/connection: (close|keep-alive)/gi)].map(([, value]) => value)
  assert.deepEqual(values, ['keep-alive', 'close'])
  assert.match(text, /two/)
})

test('a new request on a surviving connection is answered, with Connection: close', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const { client, first } = await survivingConnection(t, port, requests)
  drain.start()

  client.write('GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, second] = await requests.next()
  first.end()
  second.end('two')

  assert.match((await readToEnd(client)).text, /connection: close[\s\S]*two/i)
})

test('a new request on a surviving connection is refused with 503 if the option requests it', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { lateRequests: 'refuse' })
  const { client, first } = await survivingConnection(t, port, requests)
  drain.start()

  const reading = readToEnd(client)
  const seen = once(server, 'request')
  client.write('GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await seen
  first.end()

  assert.match((await reading).text, /HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*retry-after: 1/i)
  assert.equal(requests.waiting, 0)
  await drain.complete()
  assert.equal(server.listenerCount('request'), 1)
})

test('idle keep-alive connections end at once, and requests that arrive too late are not processed', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port, { allowHalfOpen: true })
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  response.end('done')
  await received(client, 'done')

  drain.start()
  await once(client, 'end')
  client.end('POST /too-late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n')

  assert.equal((await drain.complete()).outcome, 'drained')
  assert.equal(requests.waiting, 0)
})

test('a connection that never sent a byte does not delay the drain', async (t) => {
  const { drain, port, left } = await drainOf(t, http.createServer())
  const client = net.connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  await eventually('the connection is counted', () => drain.connections().http1 === 1)

  drain.start()

  assert.equal((await readToEnd(client)).how, 'end')
  assert.equal((await drain.complete()).outcome, 'drained')
  assert.deepEqual(
    left.map(({ departure }) => departure),
    ['closed'],
  )
})

test('a request in transit on a new connection is answered', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  await eventually('the connection is counted', () => drain.connections().http1 === 1)
  drain.start()
  await pause(50)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  response.end('welcome')

  assert.match((await readToEnd(client)).text, /connection: close[\s\S]*welcome/i)
})

test('incomplete headers get a time limit, and then 408', async (t) => {
  const { drain, port, left, clock } = await stillDrainOf(t, http.createServer(), { incompleteMs: 3_000 })
  const client = net.connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  client.write('GET / HTTP/1.1\r\nHost: loc')
  await eventually('the connection is counted', () => drain.connections().http1 === 1)
  await pause(50)

  drain.start()
  await clock.advance(2_990)
  assert.deepEqual(left, [])
  await clock.advance(20)

  assert.match((await readToEnd(client)).text, /^HTTP\/1\.1 408 /)
  assert.equal((await drain.complete()).outcome, 'drained')
  assert.deepEqual(
    left.map(({ departure }) => departure),
    ['abandoned'],
  )
})

test('headers that are completed in time are answered', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  client.write('GET / HTTP/1.1\r\nHost: loc')
  await pause(50)
  drain.start()
  client.write('alhost\r\n\r\n')
  const [, response] = await requests.next()
  response.end('in time')

  assert.match((await readToEnd(client)).text, /connection: close[\s\S]*in time/i)
})

test('a lame duck continues to serve and to accept, and answers with Connection: close', async (t) => {
  const server = httpsServer((_request, response) => response.end('served'))
  const { drain, port } = await drainOf(t, server, { lameDuckMs: 10_000, deadlineMs: 20_000 })
  const agent = new https.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const before = await request(port, '/', agent)
  drain.start()

  const during = await request(port, '/', agent)
  const after = await request(port, '/', agent)

  assert.equal(drain.ready, false)
  assert.equal(before.response.headers.connection, 'keep-alive')
  assert.equal(during.response.headers.connection, 'close')
  assert.equal(during.reused, true)
  assert.equal(after.reused, false)
  assert.equal(after.response.statusCode, 200)
})

test('answers carry the redirect as Alt-Svc, unless the application sets its own', async (t) => {
  const server = httpsServer((incoming, response) => {
    if (incoming.url === '/own') response.setHeader('alt-svc', 'clear')
    // After the listener of the drain, before the headers are sent.
    setImmediate(() => response.end())
  })
  const { drain, port } = await drainOf(t, server, { lameDuckMs: 10_000, deadlineMs: 20_000 })
  drain.start('https://other.example/path')

  const plain = await request(port, '/')
  const own = await request(port, '/own')

  const expected = 'h2="other.example:443", http%2F1.1="other.example:443"; ma=60'
  assert.equal(plain.response.headers['alt-svc'], expected)
  assert.equal(own.response.headers['alt-svc'], 'clear')
})

test('a request with Expect: 100-continue counts like any other', async (t) => {
  const { server, requests } = pausedHttps()
  server.on('checkContinue', (incoming: IncomingMessage, response: ServerResponse) => {
    response.writeContinue()
    server.emit('request', incoming, response)
  })
  const { drain, port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  client.write('POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n')
  const [, response] = await requests.next()
  drain.start()
  client.write('hi')
  response.end('done')

  assert.match((await readToEnd(client)).text, /100 Continue[\s\S]*connection: close[\s\S]*done/i)
})

test('an application without upgrade listeners still answers upgrade requests as plain requests', async (t) => {
  const server = httpsServer((_request, response) => response.end('plain'))
  const { port } = await drainOf(t, server)
  const client = await connectTls(t, port)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')

  assert.match(await received(client, 'plain'), /^HTTP\/1\.1 200/)
})

/** A connection with an answer in progress whose headers promise keep-alive. */
async function survivingConnection(
  t: TestContext,
  port: number,
  requests: ReturnType<typeof pausedHttps>['requests'],
) {
  const client = await connectTls(t, port)
  client.write('GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, first] = await requests.next()
  first.write('one')
  await received(client, 'one')
  return { client, first }
}

async function request(port: number, path: string, agent?: https.Agent) {
  const options = { port, path, host: '127.0.0.1', rejectUnauthorized: false, ...(agent ? { agent } : {}) }
  const outgoing = https.get(options)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  for await (const _ of response);
  return { response, reused: outgoing.reusedSocket }
}
