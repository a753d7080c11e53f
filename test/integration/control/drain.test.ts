/* The drain over the control server: every endpoint, and that the server answers until the end. */

import assert from 'node:assert/strict'
import https from 'node:https'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import type { HttpLimits } from '../../../src/main/control/http-server.js'
import { createDrain, type Drain, type DrainOptions } from '../../../src/main/drain/index.js'
import { type Arrivals, arrivals } from '../../../support/base/arrivals.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import {
  type ControlledEngine,
  controlledEngine,
  rawConnection,
  received,
  request,
} from '../../../support/servers/control.js'
import { connectTls, type Exchange, readToEnd } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const post = { method: 'POST' } as const

test('without a drain, GET /drain answers 404', async (t) => {
  const { socket } = await controlledEngine(t)
  assert.equal((await request(socket, '/drain')).status, 404)
})

test('a drain is started, shown and awaited', async (t) => {
  const { socket, running, drain } = await drained(t)
  const before = await request(socket, '/drain')
  assert.equal(before.status, 200)
  const { state, uri, reason, remaining_ms, connections } = before.json
  assert.deepEqual([state, uri, reason, remaining_ms, connections.http1], ['running', null, null, null, 1])
  assert.equal((await request(socket, '/readyz')).status, 200)

  const body = { uri: 'https://other.example/', reason: 'rollout', deadline_ms: 20_000 }
  const started = await request(socket, '/drain', json(body))
  assert.equal(started.status, 202)
  assert.equal(started.headers.location, '/drain')
  assert.deepEqual(
    [started.json.state, started.json.uri, started.json.reason],
    ['closing', body.uri, 'rollout'],
  )
  assert.ok(started.json.remaining_ms > 0 && started.json.remaining_ms <= 20_000)
  assert.equal((await request(socket, '/readyz')).status, 503)
  assert.equal((await request(socket, '/healthz')).status, 200)

  const waiting = request(socket, '/drain?wait=1', post)
  const line = await request(socket, '/drain', { headers: { Accept: 'text/plain' } })
  assert.match(line.text, /^closing: 1 connections, \d+ s left\n$/)
  running.response.end('answer')
  const { status, json: result } = await waiting
  assert.equal(status, 200)
  assert.deepEqual([result.state, result.closed.http1, result.forced.http1], ['drained', 1, 0])
  assert.equal(result.uri, body.uri)
  assert.match((await running.ending).text, /answer$/)
  assert.equal(drain.state, 'drained')
  assert.equal((await request(socket, '/drain')).json.state, 'drained')
})

test('a request that waits for a drain reports the connections that a forced end cut', async (t) => {
  const { socket, running } = await drained(t)
  const waiting = request(socket, '/drain?wait=1', json({ deadline_ms: 200 }))
  const { status, json: problem } = await waiting
  assert.equal(status, 504)
  assert.equal(problem.type, 'urn:certswap:problem:drain-forced')
  assert.match(problem.detail, /^0 closed, 0 abandoned, 1 cut in /)
  await running.ending
})

test('a lame duck is cancelled, and a request that waits for it is answered', async (t) => {
  const { socket, running, drain } = await drained(t, { lameDuckMs: 10_000 })
  assert.equal((await request(socket, '/drain', { method: 'DELETE' })).json.code, 'NOT_DRAINING')
  assert.equal((await request(socket, '/drain', post)).json.state, 'lame-duck')
  const waiting = request(socket, '/drain?wait=1', post)
  await request(socket, '/drain')
  const { status, text } = await request(socket, '/drain', { method: 'DELETE' })
  assert.deepEqual([status, text], [204, ''])
  assert.equal((await waiting).json.code, 'NOT_DRAINING')
  assert.equal((await request(socket, '/readyz')).status, 200)

  drain.start({ cancellable: false })
  const final = await request(socket, '/drain', { method: 'DELETE' })
  assert.deepEqual([final.status, final.json.code], [409, 'DRAIN_NOT_CANCELLABLE'])
  running.response.end()
})

test('a redirect that differs from that of the running drain is refused, and the first one is kept', async (t) => {
  const { socket, running } = await drained(t)
  const uri = 'https://first.example/'
  await request(socket, '/drain', json({ uri }))
  const refused = await request(socket, '/drain', json({ uri: 'https://second.example/' }))
  assert.equal(refused.status, 409)
  assert.equal(refused.json.type, 'urn:certswap:problem:drain-started')
  assert.equal((await request(socket, '/drain', json({ uri }))).status, 202)
  assert.equal((await request(socket, '/drain')).json.uri, uri)
  running.response.end()
})

test('an unknown option of a drain is refused, and nothing starts', async (t) => {
  const { socket, drain } = await drained(t)
  for (const body of [{ deadline: 1 }, { deadline_ms: '1' }, { uri: 'http://plain.example/' }, [], null]) {
    const { status, json: problem } = await request(socket, '/drain', json(body))
    assert.deepEqual([status, problem.code], [422, 'OPTIONS_INVALID'], JSON.stringify(body))
  }
  assert.equal((await request(socket, '/drain', { ...post, body: '{}' })).status, 415)
  assert.equal((await request(socket, '/drain?wiat=1', post)).status, 400)
  assert.equal(drain.state, 'running')
})

test('remaining connections are cut on request, and only during a drain', async (t) => {
  const { socket, running, drain } = await drained(t)
  assert.equal((await request(socket, '/drain/force', post)).status, 409)
  await request(socket, '/drain', post)
  const { status, json: result } = await request(socket, '/drain/force?wait=1', post)
  assert.deepEqual([status, result.state, result.forced.http1], [200, 'forced', 1])
  await running.ending
  assert.equal(drain.state, 'forced')
})

test('a GET does not force a drain', async (t) => {
  const { socket } = await drained(t)
  const { status, headers } = await request(socket, '/drain/force')
  assert.deepEqual([status, headers.allow], [405, 'POST'])
  assert.equal((await request(socket, '/drain', { method: 'PUT' })).headers.allow, 'GET, HEAD, POST, DELETE')
})

test('a lame duck accepts reloads; a closing server refuses requests that would change what is served', async (t) => {
  const { socket, running, drain, rotate } = await drained(t, { lameDuckMs: 60_000, deadlineMs: 120_000 })
  await request(socket, '/drain', post)
  const leaf = rotate()
  const reloaded = await request(socket, '/reload_certs', post)
  assert.deepEqual([reloaded.status, reloaded.json.status], [200, 'reloaded'])
  assert.equal(reloaded.json.contexts[0].fingerprint256, leaf.fingerprint256)

  await request(socket, '/drain', json({ lame_duck_ms: 0 }))
  assert.equal(drain.state, 'closing')
  for (const [path, options] of [
    ['/reload_certs', post],
    ['/rollback', post],
    ['/config', { ...json({ auto_reload_interval: 5 }), method: 'PATCH' }],
  ] as const) {
    const { status, json: problem } = await request(socket, path, options)
    assert.deepEqual([status, problem.code], [503, 'DRAINING'], path)
  }
  running.response.end()
})

test('the control server answers until the end, flushes its last answer, and its clients do not delay the drain', async (t) => {
  const { socket, running, control, drain } = await drained(t)
  const silent = await rawConnection(t, socket)
  silent.write('POST /drain HTTP/1.1\r\n')
  const silence = received(silent)
  const browser = await request(socket, '/drain', { headers: { Origin: 'https://evil.example' } })
  assert.equal(browser.status, 403)
  const large = await request(socket, '/drain', { ...json({}), body: 'x'.repeat(1024 * 1024) })
  assert.equal(large.status, 413)

  const waiting = request(socket, '/drain?wait=1', post)
  assert.equal((await request(socket, '/drain')).json.state, 'closing')
  running.response.end('answer')
  const { durationMs } = await drain.complete()
  await control.close()
  assert.ok(durationMs < 5_000)
  assert.equal((await waiting).json.state, 'drained')
  await silence
})

test('a client that waits for the end of a drain may stay silent for as long as the drain takes', async (t) => {
  const { socket, running } = await drained(t, {}, { silenceMs: 200 })
  const waiting = request(socket, '/drain?wait=1', post)
  await pause(700)
  running.response.end('answer')
  assert.equal((await waiting).json.state, 'drained')
})

test('a client that disconnects does not end the drain that it waited for', async (t) => {
  const { socket, running, drain } = await drained(t)
  const client = net.connect(socket)
  client.write('POST /drain?wait=1 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await new Promise<void>((resolve) => drain.once('state', () => resolve()))
  client.destroy()
  running.response.end('answer')
  assert.equal((await drain.complete()).outcome, 'drained')
})

interface DrainedEngine extends ControlledEngine {
  readonly drain: Drain
  /** A request that is in progress until the test answers it. */
  readonly running: { readonly response: Exchange[1]; readonly ending: ReturnType<typeof readToEnd> }
}

/** An engine, a server, its drain, a control server, and one request in progress. */
async function drained(
  t: TestContext,
  options: Partial<DrainOptions> = {},
  limits: Partial<HttpLimits> = {},
): Promise<DrainedEngine> {
  const exchanges: Arrivals<Exchange> = arrivals()
  let drain: Drain | undefined
  let server: https.Server | undefined
  const controlled = await controlledEngine(t, {
    limits,
    control(engine) {
      server = https.createServer(engine.serverOptions(), (...exchange) => exchanges.put(exchange))
      engine.attach(server)
      drain = createDrain({ servers: [server], logger: recordingLogger(), ...options })
      return { drain }
    },
  })
  const client = await connectTls(t, await listen(t, server as https.Server))
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await exchanges.next()
  return { ...controlled, drain: drain as Drain, running: { response, ending: readToEnd(client) } }
}

function json(body: unknown) {
  return { ...post, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}
