/*
 * Every server of `examples/`, started as a reader would: it serves its purpose, loads a renewed certificate, and keeps the
 * connection that was open before.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import grpc from '@grpc/grpc-js'
import { connectAsync } from 'mqtt'
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'

import { echoed, get } from '../../support/clients/requests.js'
import { handshake } from '../../support/clients/tls-client.js'
import { servedBy } from '../../support/engine/engines.js'
import { renameInto, writePair } from '../../support/files/files.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { startExample } from '../../support/processes/example-process.js'
import { projectRoot } from '../../support/processes/installed-package.js'
import { greeter } from '../../support/servers/greeter.js'

const authority = createAuthority()
const ca = authority.certPem
const names = { names: ['localhost'], ips: ['127.0.0.1'] }

/** Sends a request over the connection that it was created with, and returns the answer. */
type Ask = () => Promise<unknown>

type Connect = (t: TestContext, port: number) => Promise<Ask> | Ask

const servers: Readonly<Record<string, { connect: Connect; alpn?: string[] }>> = {
  'node-https.js': { connect: overHttp1 },
  'node-http2.js': { connect: overHttp2, alpn: ['h2'] },
  'node-tls.js': { connect: overEcho },
  'fastify.js': { connect: overHttp2, alpn: ['h2'] },
  'express.js': { connect: overHttp1 },
  'koa.js': { connect: overHttp1 },
  'ws.js': { connect: overWebSocket },
  'socket-io.js': { connect: overSocketIo },
  'mqtt.js': { connect: overMqtt },
  'grpc/server.js': { connect: overGrpc, alpn: ['h2'] },
}

for (const [file, { connect, alpn }] of Object.entries(servers)) {
  test(`examples/${file} loads a renewed certificate and keeps its connections`, async (t) => {
    assert.ok(
      readFileSync(join(projectRoot, 'examples', file), 'utf8').split('\n').length <= 40,
      'it is short',
    )
    const dir = tempDir(t)
    const first = authority.issue(names)
    const paths = writePair(dir, first)
    const example = startExample(t, file, { dir })
    const port = Number((await example.next((line) => line.startsWith('listening on '))).split(' ').at(-1))
    assert.equal(await servedBy(port, { alpn }), first.fingerprint256)
    const ask = await connect(t, port)
    assert.equal(await ask(), 'hello')

    const renewed = authority.issue(names)
    renameInto(paths.key, renewed.keyPem)
    renameInto(paths.cert, renewed.chainPem)
    assert.equal(await example.reloaded(), renewed.fingerprint256)
    assert.equal(await servedBy(port, { alpn }), renewed.fingerprint256)
    assert.equal(await ask(), 'hello')
  })
}

function overHttp1(t: TestContext, port: number): Ask {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  let localPort: number | undefined
  return async () => {
    const answer = await get({ port, agent, ca })
    localPort ??= answer.localPort
    assert.equal(answer.localPort, localPort)
    return answer.body.trim()
  }
}

function overHttp2(t: TestContext, port: number): Ask {
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca })
  t.after(() => session.destroy())
  return async () => (await text(session.request({ ':path': '/' }))).trim()
}

async function overEcho(t: TestContext, port: number): Promise<Ask> {
  const { socket, close } = await handshake({ port, ca, keepOpen: true })
  t.after(close)
  return () => echoed(socket, 'hello')
}

async function overWebSocket(t: TestContext, port: number): Promise<Ask> {
  const socket = new WebSocket(`wss://127.0.0.1:${port}`, [], { ca })
  t.after(() => socket.terminate())
  await once(socket, 'open')
  return async () => {
    const answer = once(socket, 'message') as Promise<[Buffer]>
    socket.send('hello')
    return (await answer)[0].toString()
  }
}

async function overSocketIo(t: TestContext, port: number): Promise<Ask> {
  const socket = io(`https://127.0.0.1:${port}`, { ca, transports: ['websocket'], reconnection: false })
  t.after(() => socket.disconnect())
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject)
  })
  return () => socket.timeout(10_000).emitWithAck('say', 'hello')
}

async function overMqtt(t: TestContext, port: number): Promise<Ask> {
  const client = await connectAsync(`mqtts://127.0.0.1:${port}`, { ca, reconnectPeriod: 0 })
  t.after(() => client.endAsync(true))
  await client.subscribeAsync('words')
  return async () => {
    const message = new Promise<Buffer>((resolve) => {
      client.once('message', (_topic, payload) => resolve(payload))
    })
    await client.publishAsync('words', 'hello')
    return (await message).toString()
  }
}

function overGrpc(t: TestContext, port: number): Ask {
  const client = greeter(`localhost:${port}`, grpc.credentials.createSsl(Buffer.from(ca)))
  t.after(() => client.close())
  return () => client.greet('hello')
}
