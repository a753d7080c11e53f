/* The drain as popular clients see it: curl, ws, undici. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { test } from 'node:test'

import { Pool } from 'undici'
import WebSocket, { WebSocketServer } from 'ws'

import { closeWebSockets } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { curl, withoutCurlHttp2 } from '../../../support/clients/curl.js'
import { drainOf, type Exchange, pausedHttp2, pausedHttps } from '../../../support/servers/drains.js'

test('clients of the package ws get code 1001 and the redirect, and none is cut', async (t) => {
  const { server } = pausedHttps()
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const { drain, port, left } = await drainOf(t, server, { onUpgrade: closeWebSockets(webSockets) })
  const clients = Array.from({ length: 10 }, () => {
    const client = new WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false })
    t.after(() => client.terminate())
    return client
  })
  await Promise.all(clients.map((client) => once(client, 'open')))
  const closes = clients.map((client) => once(client, 'close') as Promise<[number, Buffer]>)

  const uri = 'wss://other.example/chat'
  drain.start(uri)
  for (const [code, reason] of await Promise.all(closes)) assert.deepEqual([code, `${reason}`], [1001, uri])
  const { outcome, closed } = await drain.complete()
  assert.deepEqual([outcome, closed.upgraded], ['drained', 10])
  assert.equal(left.filter(({ departure }) => departure === 'closed').length, 10)
})

test('a message that is in transit when the drain starts is answered before the close', async (t) => {
  const { server } = pausedHttps()
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const { drain, port } = await drainOf(t, server, { onUpgrade: closeWebSockets(webSockets, 1012) })
  const client = new WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false })
  t.after(() => client.terminate())
  await once(client, 'open')
  const close = once(client, 'close')
  const message = once(client, 'message')
  client.send('hello')
  await message
  drain.start()
  assert.equal((await close)[0], 1012)
  assert.equal((await drain.complete()).closed.upgraded, 1)
})

test('requests of an undici pool that run when the drain starts are answered completely', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const pool = new Pool(`https://127.0.0.1:${port}`, {
    connections: 5,
    connect: { rejectUnauthorized: false },
  })
  t.after(() => pool.destroy())
  const answers = Array.from({ length: 5 }, (_, i) => pool.request({ path: `/${i}`, method: 'GET' }))
  const running: Exchange[] = []
  for (const _ of answers) running.push(await requests.next())
  drain.start()
  // A slow machine sends the close notices of five connections in more than one turn of the loop.
  await eventually('each response is the last of its connection', () =>
    running.every(([, response]) => response.getHeader('connection') === 'close'),
  )
  for (const [{ url }, response] of running) response.end(`answer to ${url}`)

  for (const [i, answer] of answers.entries()) {
    const { headers, body } = await answer
    assert.equal(headers['connection'], 'close')
    assert.equal(await body.text(), `answer to /${i}`)
  }
  assert.equal((await drain.complete()).closed.http1, 5)
})

for (const phases of ['single', 'two-phase'] as const) {
  test(`curl gets every one of twenty HTTP/2 answers that are in progress at the GOAWAY, ${phases}`, {
    skip: withoutCurlHttp2,
  }, async (t) => {
    const { server, streams } = pausedHttp2()
    const { drain, port } = await drainOf(t, server, { http2: phases })
    const urls = Array.from({ length: 20 }, (_, i) => ['-o', '/dev/null', `https://127.0.0.1:${port}/${i}`])
    const asking = curl(
      '-Z',
      '-k',
      '--http2',
      '--fail',
      '-w',
      '%{http_code} %{size_download}\n',
      ...urls.flat(),
    )
    const running: ServerHttp2Stream[] = []
    while (running.length < urls.length) running.push(await streams.next())
    drain.start()
    for (const stream of running) {
      stream.respond()
      stream.end('y'.repeat(50_000))
    }
    const { code, stdout, stderr } = await asking
    assert.equal(code, 0, stderr)
    assert.deepEqual(stdout.trim().split('\n'), Array(20).fill('200 50000'))
    assert.equal((await drain.complete()).outcome, 'drained')
  })
}
