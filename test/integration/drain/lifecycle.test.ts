import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import test from 'node:test'

import { createDrain, type DrainState, type TrackedSession } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { GOAWAY, ofType, rawHttp2 } from '../../../support/clients/raw-http2.js'
import {
  connectTls,
  drainOf,
  http2Server,
  httpsServer,
  none,
  pausedHttp2,
  pausedHttps,
  readToEnd,
  stillDrainOf,
} from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

test('without connections, a drain ends with its lame-duck phase', async (t) => {
  const { drain, clock, port } = await stillDrainOf(t, httpsServer(ok), { lameDuckMs: 5_000 })
  const states: DrainState[] = []
  drain.on('state', (state) => states.push(state))
  assert.equal(drain.ready, true)

  drain.start()
  await clock.advance(4_990)
  assert.deepEqual([drain.state, drain.ready], ['lame-duck', false])
  await clock.advance(10)

  const { outcome, durationMs } = await drain.complete()
  assert.deepEqual(states, ['lame-duck', 'closing', 'drained'])
  assert.deepEqual([outcome, durationMs], ['drained', 5_000])
  assert.equal(clock.pending, 0)
  await assert.rejects(once(net.connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
})

test('a drain without clients takes milliseconds', async (t) => {
  const { drain } = await drainOf(t, http2Server())
  const began = performance.now()
  drain.start()
  const { outcome } = await drain.complete()
  const tookMs = performance.now() - began

  assert.equal(outcome, 'drained')
  assert.ok(tookMs < 100, `${tookMs} ms`)
})

test('a stuck request is cut at the deadline, which counts from the start; the report has class and count', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port, logger } = await drainOf(t, server, { deadlineMs: 300, lameDuckMs: 200 })
  const client = await connectTls(t, port)
  client.write('GET /stuck?token=secret HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await requests.next()

  drain.start()
  const { outcome, forced, durationMs } = await drain.complete()

  assert.equal(outcome, 'forced')
  assert.deepEqual(forced, { ...none, http1: 1 })
  assert.ok(durationMs >= 299 && durationMs < 550, `${durationMs} ms`)
  const cut = logger.lines.find(({ message }) => message === 'cutting connections that did not close')
  assert.deepEqual(cut?.fields, { connections: { ...none, http1: 1 }, requests: ['GET /stuck'] })
})

test('a deadline of 0 forces at once', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { lameDuckMs: 60_000, deadlineMs: 120_000 })
  const client = await connectTls(t, port)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await requests.next()

  drain.start({ deadlineMs: 0 })
  assert.equal(drain.state, 'forced')
  const { outcome, forced, durationMs } = await drain.complete()

  assert.deepEqual([outcome, forced.http1], ['forced', 1])
  assert.ok(durationMs < 250, `${durationMs} ms`)
})

test('force cuts the remaining connections, also during the lame-duck phase', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { lameDuckMs: 10_000, deadlineMs: 20_000 })
  const client = await connectTls(t, port)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await requests.next()
  drain.start()
  assert.equal(drain.state, 'lame-duck')

  drain.force()
  const { outcome, forced } = await drain.complete()

  assert.deepEqual([outcome, forced.http1], ['forced', 1])
  drain.force()
  assert.equal(drain.state, 'forced')
})

test('force without a start is an error', async (t) => {
  const { drain } = await drainOf(t, httpsServer(ok))
  assert.throws(() => drain.force(), { name: 'DrainError', code: 'DRAIN_NOT_STARTED' })
  assert.equal(drain.state, 'running')
})

test('a cancelled lame duck is ready again, and its clients keep their connections', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { lameDuckMs: 10_000, deadlineMs: 20_000 })
  const client = await connectTls(t, port)
  drain.start()
  drain.cancel()

  assert.deepEqual([drain.state, drain.ready], ['running', true])
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  response.end()
  const [answer] = (await once(client, 'data')) as [Buffer]
  assert.match(answer.toString(), /connection: keep-alive/i)

  drain.start({ lameDuckMs: 0 })
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('only a lame duck can be cancelled, and only if it was not started as final', async (t) => {
  const { drain } = await drainOf(t, httpsServer(ok), { lameDuckMs: 10_000, deadlineMs: 20_000 })
  assert.throws(() => drain.cancel(), { code: 'DRAIN_NOT_CANCELLABLE' })
  drain.start()
  drain.start({ cancellable: false })
  assert.throws(() => drain.cancel(), { code: 'DRAIN_NOT_CANCELLABLE' })
  drain.start({ lameDuckMs: 0 })
  assert.throws(() => drain.cancel(), { code: 'DRAIN_NOT_CANCELLABLE' })
})

test('a second start sends no second GOAWAY, keeps the first URI, and refuses another one', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const client = await rawHttp2(t, port)
  client.get(1)
  const stream = await streams.next()
  const first = drain.start('https://first.example/')
  const again = drain.start()
  const same = drain.start('https://first.example/')

  assert.throws(() => drain.start('https://second.example/'), { code: 'DRAIN_STARTED' })
  await client.frame(ofType(GOAWAY))
  assert.equal(client.frames.filter(ofType(GOAWAY)).length, 1)
  assert.equal(drain.start().uri, 'https://first.example/')
  stream.respond()
  stream.end()
  await client.ended
  client.socket.end()

  const results = await Promise.all([
    first.complete(),
    again.complete(),
    same.complete(),
    drain.complete(),
    drain.complete(new AbortController().signal),
  ])
  for (const result of results) assert.equal(result, results[0])
  assert.equal(drain.start().uri, 'https://first.example/')
})

test('a second start can bring the deadline forward, but not postpone it', async (t) => {
  const { drain, clock } = await stillDrainOf(t, httpsServer(ok), { deadlineMs: 10_000 })
  drain.track(neverEnding())
  const run = drain.start()
  drain.start({ deadlineMs: 60_000 })
  assert.equal(run.remainingMs, 10_000)
  drain.start({ deadlineMs: 2_000 })
  assert.equal(run.remainingMs, 2_000)
  await clock.advance(2_000)
  await clock.advance(200)

  assert.equal((await run.complete()).outcome, 'forced')
})

test('an Infinity deadline never passes', async (t) => {
  const { drain, clock } = await stillDrainOf(t, httpsServer(ok), { deadlineMs: Number.POSITIVE_INFINITY })
  drain.track(neverEnding())
  const run = drain.start()
  await clock.advance(1_000_000_000)
  assert.deepEqual([drain.state, run.remainingMs], ['closing', Number.POSITIVE_INFINITY])
  drain.force()
  await clock.advance(200)
  assert.equal((await run.complete()).outcome, 'forced')
})

test('a caller can stop waiting, and the drain continues', async (t) => {
  const { drain } = await drainOf(t, httpsServer(ok))
  const abort = new AbortController()
  const waiting = drain.complete(abort.signal)
  abort.abort(new Error('enough'))

  await assert.rejects(waiting, { code: 'ABORTED', cause: abort.signal.reason })
  assert.equal(drain.state, 'running')
  await assert.rejects(drain.complete(AbortSignal.abort()), { code: 'ABORTED' })
  drain.start()
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('close notices are spread over spreadMs, and never over more than half of the remaining time', async (t) => {
  const { drain, clock } = await stillDrainOf(t, httpsServer(ok), { deadlineMs: 10_000, spreadMs: 60_000 })
  const notices: number[] = []
  const began = clock.monotonicMs()
  for (let i = 0; i < 50; i++) {
    drain.track({ ...neverEnding(), goaway: () => notices.push(clock.monotonicMs() - began) })
  }
  drain.start()
  assert.equal(notices.length, 0)
  await clock.advance(5_000)

  assert.equal(notices.length, 50)
  assert.ok(new Set(notices).size > 25, `at ${notices}`)
  drain.close()
})

test('a tracked session gets a close notice with the redirect, and counts until it has closed', async (t) => {
  const { drain } = await drainOf(t, httpsServer(ok))
  let end = () => {}
  const goaways: unknown[] = []
  const closed = new Promise<void>((resolve) => {
    end = resolve
  })
  drain.track({ goaway: (uri, { reason }) => goaways.push([uri, reason]), closed, destroy: () => {} })
  assert.equal(drain.connections().tracked, 1)
  drain.start({ uri: 'https://other.example/', reason: 'deploy' })
  assert.deepEqual(goaways, [['https://other.example/', 'deploy']])
  assert.equal(drain.state, 'closing')
  end()

  const { outcome, closed: gone } = await drain.complete()
  assert.deepEqual([outcome, gone.tracked], ['drained', 1])
})

test('a session that is tracked during the close notices gets its close notice at once, and the drain does not wait for one that was removed', async (t) => {
  const { drain } = await drainOf(t, httpsServer(ok))
  const release = drain.track(neverEnding())
  drain.start()
  const goaways: unknown[] = []
  const releaseLate = drain.track({ ...neverEnding(), goaway: (uri) => goaways.push(uri) })
  assert.deepEqual(goaways, [undefined])
  release()
  releaseLate()

  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a tracked session that stays open is destroyed at the deadline', async (t) => {
  const { drain, clock } = await stillDrainOf(t, httpsServer(ok), { deadlineMs: 1_000 })
  const destroyed: number[] = []
  drain.track({ ...neverEnding(), destroy: () => destroyed.push(clock.monotonicMs()) })
  drain.start()
  await clock.advance(1_000)
  await clock.advance(200)

  assert.equal(destroyed.length, 1)
  assert.equal((await drain.complete()).forced.tracked, 1)
})

test('connections accepted during the lame-duck phase are drained with the rest', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port, clock } = await stillDrainOf(t, server, { lameDuckMs: 1_000 })
  drain.start()
  const client = await connectTls(t, port)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  await clock.advance(1_000)
  await eventually('the listener is closed', () => drain.state === 'closing')
  response.end('late but whole')

  assert.match((await readToEnd(client)).text, /connection: close[\s\S]*late but whole/i)
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a server cannot be in two drains at once, but in one after another', async (t) => {
  const server = httpsServer(ok)
  const { drain } = await drainOf(t, server)
  const options = { servers: [server], logger: recordingLogger() }
  assert.throws(() => createDrain(options), { code: 'SERVER_TAKEN' })
  drain.close()
  const next = createDrain(options)
  next.start()

  assert.equal((await next.complete()).outcome, 'drained')
  createDrain(options).close()
})

test('closing a drain leaves its servers running and answers every waiting caller', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const waiting = drain.complete()
  const client = await connectTls(t, port)
  drain.close()
  drain.close()

  await assert.rejects(waiting, { code: 'CLOSED' })
  assert.throws(() => drain.start(), { code: 'CLOSED' })
  assert.throws(() => drain.track(neverEnding()), { code: 'CLOSED' })
  assert.equal(drain.ready, false)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  response.end('served')
  assert.match(String(await once(client, 'data')), /keep-alive/)
})

test('several servers are drained as one', async (t) => {
  const logger = recordingLogger()
  const servers = [httpsServer(ok), http2Server(), http.createServer(ok), net.createServer(() => {})]
  const drain = createDrain({ servers, logger, onRaw: (socket) => socket.end() })
  t.after(() => drain.close())
  const clients: net.Socket[] = []
  for (const server of servers) {
    const client = net.connect(await listen(t, server), '127.0.0.1')
    t.after(() => client.destroy())
    clients.push(client)
  }
  await eventually('all are counted', () => total(drain.connections()) === 4)
  for (const client of clients) client.resume()
  drain.start({ deadlineMs: 20_000 })
  for (const client of clients.slice(0, 2)) client.end()

  assert.equal((await drain.complete()).outcome, 'drained')
  assert.ok(servers.every(({ listening }) => !listening))
})

function ok(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response.end()
}

function neverEnding(): TrackedSession {
  return { goaway: () => {}, closed: new Promise(() => {}), destroy: () => {} }
}

function total(counts: object): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
