import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'

import type { Metrics } from '../../../src/main/observe/metrics.js'
import { recordEvents } from '../../../support/engine/engines.js'
import { controlledEngine, rawConnection, received, request } from '../../../support/servers/control.js'

const RELOAD = 'POST /reload_certs HTTP/1.1\r\nHost: localhost\r\n'

test('a body over 16 KiB is refused with 413, with or without its length, and nothing is reloaded', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  for (const length of [16 * 1024 + 1, 1024 * 1024]) {
    const body = 'x'.repeat(length)
    const withLength = await request(socket, '/reload_certs', { method: 'POST', body })
    const headers = { 'Transfer-Encoding': 'chunked' }
    const withoutLength = await request(socket, '/reload_certs', { method: 'POST', body, headers })
    assert.deepEqual([withLength.status, withoutLength.status], [413, 413])
    assert.equal(withLength.json.code, 'BODY_TOO_LARGE')
    assert.equal(withLength.headers['content-type'], 'application/problem+json')
  }
  assert.equal(passes.length, 0)
})

test('a body of 16 KiB is read', async (t) => {
  const { socket } = await controlledEngine(t)
  const body = JSON.stringify({ cert: 'x'.repeat(16 * 1024 - 11) })
  assert.equal(body.length, 16 * 1024)
  const headers = { 'Content-Type': 'application/json' }
  const { status } = await request(socket, '/config', { method: 'PATCH', body, headers })
  assert.notEqual(status, 413)
})

test('a client that sends Expect: 100-continue for a large body is refused without sending it', async (t) => {
  const { socket } = await controlledEngine(t)
  const client = await rawConnection(t, socket)
  client.write(`${RELOAD}Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n`)
  assert.match(await received(client), /^HTTP\/1\.1 413 /)
})

test('a client that sends Expect: 100-continue for a small body gets 100', async (t) => {
  const { socket } = await controlledEngine(t)
  const client = await rawConnection(t, socket)
  client.write(`PATCH /config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`)
  client.write('Content-Length: 2\r\nExpect: 100-continue\r\n\r\n')
  const [first] = (await once(client, 'data')) as [Buffer]
  assert.match(first.toString(), /^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  client.write('{}')
  assert.match(await received(client), /^HTTP\/1\.1 422 /)
})

test('headers over 8 KiB are refused with 431', async (t) => {
  const { socket } = await controlledEngine(t)
  const { status, json } = await request(socket, '/status', { headers: { 'X-Long': 'x'.repeat(8 * 1024) } })
  assert.equal(status, 431)
  assert.equal(json.code, 'HEADERS_TOO_LARGE')
})

test('slow headers and an incomplete body end with 408', async (t) => {
  const { socket } = await controlledEngine(t, { limits: { headersMs: 150, requestMs: 300 } })
  const slow = await rawConnection(t, socket)
  slow.write('POST /reload_certs HTTP/1.1\r\nHost: loc')
  const half = await rawConnection(t, socket)
  half.write(`${RELOAD}Content-Length: 100\r\n\r\nhalf`)
  for (const answer of await Promise.all([received(slow), received(half)])) {
    assert.match(answer, /^HTTP\/1\.1 408 /)
    assert.match(answer, /"code":"REQUEST_TIMEOUT"/)
  }
})

test('a request that is not HTTP, or names no host, ends with 400', async (t) => {
  const { socket } = await controlledEngine(t)
  for (const text of ['HELO there\r\n\r\n', 'GET /status HTTP/1.1\r\n\r\n']) {
    const client = await rawConnection(t, socket)
    client.write(text)
    assert.match(await received(client), /^HTTP\/1\.1 400 /)
  }
})

test('only the first of several pipelined requests is carried out and answered', async (t) => {
  const { socket, engine } = await controlledEngine(t)
  const passes = recordEvents(engine, 'settled')
  const client = await rawConnection(t, socket)
  client.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n${`${RELOAD}\r\n`.repeat(20)}`)
  const answer = await received(client)
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
  assert.match(answer, /Connection: close/i)
  assert.equal((await request(socket, '/healthz')).status, 200)
  assert.equal(passes.length, 0)
})

test('idle connections make room for one with a request: the oldest is closed', async (t) => {
  const { socket } = await controlledEngine(t, { limits: { unauthorized: 4 } })
  const idle: Socket[] = []
  for (let i = 0; i < 4; i++) idle.push(await rawConnection(t, socket))
  const [oldest] = idle
  const ends = received(oldest as Socket)
  idle.push(await rawConnection(t, socket))
  assert.equal(await ends, '')
  await answered(socket)
})

test('requests beyond the limit are closed at once, and finished ones make room', async (t) => {
  const { socket, gate } = await controlledEngine(t, { gated: true, limits: { connections: 2 } })
  gate.close()
  const clients: Socket[] = []
  for (let i = 0; i < 2; i++) {
    const client = await rawConnection(t, socket)
    client.write(`${RELOAD}\r\n`)
    clients.push(client)
  }
  await gate.holds()
  await assert.rejects(request(socket, '/healthz'), /ECONNRESET|socket hang up|EPIPE/)
  gate.open()
  await Promise.all(clients.map(received))
  await answered(socket)
})

test('an unread answer delays neither the server nor its end', async (t) => {
  const metrics: Metrics = {
    contentType: 'text/plain',
    text: async () => 'x'.repeat(8 * 1024 * 1024),
    control: { expect() {}, count() {} },
    close() {},
  }
  const { socket, control } = await controlledEngine(t, {
    control: () => ({ metrics }),
    limits: { graceMs: 200 },
  })
  const client = await rawConnection(t, socket)
  client.pause()
  client.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  assert.equal((await request(socket, '/healthz')).status, 200)
  await control.close()
})

test('an idle connection and an incomplete request delay the end no longer than allowed', async (t) => {
  const { socket, control } = await controlledEngine(t, { limits: { quietMs: 50, graceMs: 100 } })
  const idle = await rawConnection(t, socket)
  const half = await rawConnection(t, socket)
  half.write(`${RELOAD}Content-Length: 100\r\n\r\nhalf`)
  await request(socket, '/healthz')
  const ends = [received(idle), received(half)]
  await control.close()
  await Promise.all(ends)
  await control.close()
})

test('a request in progress when the server closes gets its answer', async (t) => {
  const { socket, control, rotate } = await controlledEngine(t)
  rotate()
  const client = await rawConnection(t, socket)
  const answer = received(client)
  client.write(`${RELOAD}\r\n`)
  await control.close()
  const text = await answer
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(text, /"status":"reloaded"/)
})

/** Repeats the request until there is room again: a closed connection is noticed a moment later. */
async function answered(socket: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      assert.equal((await request(socket, '/healthz')).status, 200)
      return
    } catch (error) {
      if (tries > 200 || error instanceof assert.AssertionError) throw error
    }
  }
}
