/* Limits on what one connection may cost the event loop that it shares with the servers. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import {
  ANY_REQUEST,
  createHttpServer,
  HTTP_LIMITS,
  type HttpLimits,
} from '../../../src/main/control/http-server.js'
import { createPace } from '../../../src/main/control/pace.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { runModule } from '../../../support/processes/run-module.js'

const paceModule = new URL('../../../src/main/control/pace.js', import.meta.url).href

const GET = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'

test('the parser sees only one or two of thousands of pipelined requests', async (t) => {
  const { server, client } = await serving(t)
  let seen = 0
  server.on('request', () => seen++)
  client.write(GET.repeat(5000))
  client.resume()
  await closed(client)
  assert.ok(seen === 1 || seen === 2, `${seen} requests were seen`)
})

test('data that a client continues to send after a refusal is hardly read', async (t) => {
  const { client, accepted } = await serving(t)
  client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000000\r\n\r\n`)
  client.write(Buffer.alloc(200_000_000))
  const [answer] = (await once(client, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 413 /)
  await closed(accepted)
  assert.ok(accepted.bytesRead < 300_000, `${accepted.bytesRead} bytes were read`)
})

test('the parser gets no part of a refused body, not even the part that arrived with its headers', async (t) => {
  const { server, client, accepted } = await serving(t)
  let fedBytes = 0
  server.on('request', (request: IncomingMessage) => request.on('data', ({ length }) => (fedBytes += length)))
  client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(50_000)}`)
  client.resume()
  await closed(accepted)
  assert.ok(fedBytes < 1_000, `${fedBytes} bytes`)
})

test('clients that send at the same moment are read one after the other', async (t) => {
  const gapMs = 50
  const { server, path, client } = await serving(t, { firstBytesGapMs: gapMs })
  const takenMs: number[] = []
  server.on('request', () => takenMs.push(performance.now()))
  const clients = [client, connect(path), connect(path)]
  const startMs = performance.now()
  for (const one of clients) one.resume().write(GET)
  await Promise.all(clients.map(closed))
  assert.equal(takenMs.length, 3)
  // A timer of Node may fire early by less than a millisecond.
  assert.ok(
    takenMs.every((ms, i) => ms - startMs > i * gapMs - 2),
    `after ${takenMs.map((ms) => ms - startMs)} ms`,
  )
})

test('clients that wait for their refusal do not delay the closing of the server', {
  timeout: 20_000,
}, async (t) => {
  const never = 60_000
  const refusalPace = { gapMs: never, burst: 1, steadyMs: never }
  const limits = { refusalPace, quietMs: 50, graceMs: never, silenceMs: never }
  const { server, path, client, close } = await serving(t, limits)
  const clients = [client, connect(path)]
  const allSeen = new Promise<void>((resolve) => {
    let seen = 0
    server.on('request', () => ++seen === clients.length && resolve())
  })
  for (const one of clients)
    one.resume().write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n')
  await allSeen
  await close()
  await Promise.all(clients.map(closed))
})

test('clients that wait for their refusal delay no answer', { timeout: 20_000 }, async (t) => {
  const never = 60_000
  const refusalPace = { gapMs: never, burst: 1, steadyMs: never }
  const { server, path, client } = await serving(t, { refusalPace, quietMs: 50 })
  const refused = once(client, 'data')
  client.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n')
  await refused
  const waiting = once(server, 'request')
  connect(path).resume().write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n')
  await waiting
  const other = connect(path)
  other.write(GET)
  const [answer] = (await once(other, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /)
})

test('callers of a pace continue in their order, each a gap after the previous one', async (t) => {
  stayAlive(t)
  const pace = createPace({ gapMs: 20, burst: 10, steadyMs: 20 })
  const order: number[] = []
  const startMs = performance.now()
  await Promise.all([1, 2, 3, 4].map((i) => pace().then(() => order.push(i))))
  // A timer of Node may fire early by less than a millisecond.
  assert.ok(performance.now() - startMs > 3 * 20 - 3)
  assert.deepEqual(order, [1, 2, 3, 4])
})

test('a pace without waiting callers lets the next one continue in the same turn', async (t) => {
  stayAlive(t)
  const pace = createPace({ gapMs: 60_000, burst: 1, steadyMs: 60_000 })
  let turned = false
  setImmediate(() => {
    turned = true
  })
  await pace()
  assert.equal(turned, false)
})

test('a steady stream of callers continues at the steady pace once its burst is over', async (t) => {
  stayAlive(t)
  const pace = createPace({ gapMs: 0, burst: 3, steadyMs: 30 })
  const startMs = performance.now()
  const tookMs = await Promise.all([1, 2, 3, 4, 5].map(() => pace().then(() => performance.now() - startMs)))
  // A timer of Node may fire early, and has no fractions of a millisecond.
  const least = [0, 0, 0, 27, 57]
  assert.ok(
    tookMs.every((ms, i) => ms >= (least[i] as number)),
    `after ${tookMs} ms`,
  )
})

test('a caller that has been cancelled takes no turn from those behind it', async (t) => {
  stayAlive(t)
  const pace = createPace({ gapMs: 10, burst: 100, steadyMs: 10 })
  await pace()
  const order: string[] = []
  let wanted = true
  for (let i = 0; i < 50; i++) void pace(() => wanted).then(() => order.push('unwanted'))
  wanted = false
  await pace().then(() => order.push('wanted'))
  assert.deepEqual(order, ['wanted'])
})

test('callers that wait at a pace do not keep the process running', async (t) => {
  const script = `
    const { createPace } = await import(process.env.PACE)
    const pace = createPace({ gapMs: 600_000, burst: 1, steadyMs: 600_000 })
    void pace()
    void pace()`
  const { code } = await runModule(t, script, { PACE: paceModule })
  assert.equal(code, 0)
})

/** A pace alone does not. */
function stayAlive(t: TestContext): void {
  const timer = setInterval(() => {}, 60_000)
  t.after(() => clearInterval(timer))
}

/** The result, whatever ends it. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

async function serving(t: TestContext, limits: Partial<HttpLimits> = {}) {
  const { server, close } = createHttpServer({
    limits: { ...HTTP_LIMITS, silenceMs: 10_000, ...limits },
    credentials: ANY_REQUEST,
    serve: (_request, response) => response.end('ok'),
    refused: () => {},
  })
  const path = join(tempDir(t), 'control.sock')
  server.listen(path)
  await once(server, 'listening')
  t.after(close)
  const client = connect(path).on('error', () => {})
  t.after(() => client.destroy())
  const [accepted] = (await once(server, 'connection')) as [Socket]
  return { server, close, path, client, accepted }
}
