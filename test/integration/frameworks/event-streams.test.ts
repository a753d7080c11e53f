/*
 * Responses that would not end by themselves: without a hook, a stream of server-sent events over HTTP/1.1 keeps the drain
 * running until its deadline and is cut.
 */

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Server } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import express from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import { Agent, EventSource } from 'undici'

import { closeEventStreams, type ResponseHook } from '../../../src/main/drain/index.js'
import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { startExample } from '../../../support/processes/example-process.js'
import {
  drainOf,
  http2Client,
  http2Server,
  httpsServer,
  identity,
  pausedHttps,
} from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'
import { front } from '../../../support/servers/front.js'

const LAST = 'event: bye\ndata: {"to":"other"}\n\n'
const HEADERS = { 'content-type': 'text/event-stream' }

/** Servers with an event stream at `/events`; each writes until the response has closed. */
const servers: Readonly<Record<string, { protocol: 'http1' | 'http2'; make: () => Promise<Server> }>> = {
  'node:https': { protocol: 'http1', make: async () => httpsServer(streamEvents) },
  Express: {
    protocol: 'http1',
    async make() {
      const app = express()
      app.get('/events', (request, response) => streamEvents(request, response))
      return https.createServer(identity, app)
    },
  },
  'Fastify, with reply.raw': {
    protocol: 'http1',
    make: () =>
      fastifyServer(fastify({ https: identity }), (app) =>
        app.get('/events', (_request, reply) => {
          reply.hijack()
          streamEvents(null, reply.raw)
        }),
      ),
  },
  'Fastify, with a stream': {
    protocol: 'http1',
    make: () =>
      fastifyServer(fastify({ https: identity }), (app) =>
        app.get('/events', (_request, reply) => reply.headers(HEADERS).send(endlessEvents())),
      ),
  },
  'Koa, with a stream': {
    protocol: 'http1',
    async make() {
      const app = new Koa()
      // It reports a stream that it could not send to its end.
      app.on('error', () => {})
      app.use((context) => {
        context.type = 'text/event-stream'
        context.body = endlessEvents()
      })
      const answer = app.callback()
      return https.createServer(identity, (...exchange) => void answer(...exchange))
    },
  },
  'node:http2': {
    protocol: 'http2',
    async make() {
      const server = http2Server()
      server.on('request', streamEvents as never)
      return server
    },
  },
  'Fastify over HTTP/2': {
    protocol: 'http2',
    make: () =>
      fastifyServer(fastify({ http2: true, https: identity }), (app) =>
        app.get('/events', (_request, reply) => reply.headers(HEADERS).send(endlessEvents())),
      ),
  },
}

for (const [name, { protocol, make }] of Object.entries(servers)) {
  test(`${name}: streams of server-sent events get a last event and end completely, and nothing is cut`, async (t) => {
    const onResponse = closeEventStreams({ retryMs: 1_500, last: LAST })
    const { drain, port, logger } = await drainOf(t, await make(), { onResponse })
    const streams = await Promise.all([1, 2, 3].map(() => events(t, port, protocol)))
    drain.start()

    for (const { rest } of streams) {
      const all = await rest
      assert.ok(all.endsWith(`${LAST}retry: 1500\n\n`), all.slice(-200))
    }
    const { outcome, closed } = await drain.complete()
    assert.deepEqual([outcome, closed[protocol] > 0], ['drained', true])
    assert.deepEqual(
      logger.lines.filter(({ level }) => level === 'error' || level === 'warn'),
      [],
    )
  })
}

test('other responses end by themselves, each one completely', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { onResponse: closeEventStreams() })
  const answers = [ask(port), ask(port)]
  const [started, unstarted] = [(await requests.next())[1], (await requests.next())[1]]
  started.write('first half, ')
  drain.start()
  started.end('second half')
  unstarted.end('first half, second half')

  for (const answer of answers) assert.equal(await answer, 'first half, second half')
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('an event stream that starts after the close notice ends after its first write', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { onResponse: closeEventStreams({ last: () => LAST }) })
  const answer = ask(port)
  const [, response] = await requests.next()
  drain.start()
  await new Promise((resolve) => setTimeout(resolve, 20))
  response.writeHead(200, HEADERS)
  response.write('data: first\n\n')

  assert.equal(await answer, `data: first\n\n${LAST}`)
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('writes of the application after the last event are discarded, and raise no error', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server, { onResponse: closeEventStreams({ last: LAST }) })
  const answer = ask(port)
  const [, response] = await requests.next()
  response.writeHead(200, HEADERS)
  response.write('data: first\n\n')
  drain.start()
  response.on('error', assert.ifError)
  for (const _ of [1, 2, 3]) response.write('data: too late\n\n')
  response.end('data: too late\n\n')
  await new Promise<unknown>((done) => response.write('data: too late\n\n', done))
  await new Promise<void>((done) => response.end(done))

  assert.equal(await answer, `data: first\n\n${LAST}`)
  assert.equal((await drain.complete()).outcome, 'drained')
})

test('a stream whose last event cannot be created ends without it, both when it runs and when it starts later', async (t) => {
  const { server, requests } = pausedHttps()
  const last = () => {
    throw new Error('no last event')
  }
  const { drain, port } = await drainOf(t, server, { onResponse: closeEventStreams({ retryMs: 5, last }) })
  const answers = [ask(port), ask(port)]
  const [running, later] = [(await requests.next())[1], (await requests.next())[1]]
  running.writeHead(200, HEADERS).flushHeaders()
  drain.start()
  await new Promise((resolve) => setTimeout(resolve, 20))
  later.writeHead(200, HEADERS).flushHeaders()

  assert.deepEqual(await Promise.all(answers), ['retry: 5\n\n', 'retry: 5\n\n'])
  assert.equal((await drain.complete()).outcome, 'drained')
})

for (const protocol of ['http1', 'http2'] as const) {
  test(`onResponse is called once for each response, with its request, on ${protocol}`, async (t) => {
    const paused = new EventEmitter()
    const server = http2.createSecureServer({ ...identity, allowHTTP1: true }, (request, response) =>
      paused.emit('exchange', request, response),
    )
    const calls: string[] = []
    const onResponse: ResponseHook = (response, { reason }, request) => {
      calls.push(`${request.method} ${request.url} ${response.headersSent} ${reason}`)
      if (response.headersSent) response.end('bye')
    }
    const { drain, port } = await drainOf(t, server, { onResponse })
    const session = protocol === 'http2' ? http2Client(t, port) : undefined
    const asked = (path: string) => (session ? text(session.request({ ':path': path })) : ask(port, path))
    const exchanged = async (path: string) => {
      const exchange = once(paused, 'exchange') as Promise<[unknown, http2.Http2ServerResponse]>
      const answer = asked(path)
      return [(await exchange)[1], answer] as const
    }
    const [started, first] = await exchanged('/started')
    started.write('hello ')
    const [waiting, second] = await exchanged('/waiting')
    drain.start({ reason: 'deploy' })
    drain.start({ reason: 'again' })

    assert.equal(await first, 'hello bye')
    waiting.end('in its own time')
    assert.equal(await second, 'in its own time')
    assert.equal((await drain.complete()).outcome, 'drained')
    assert.deepEqual(calls.sort(), ['GET /started true deploy', 'GET /waiting false deploy'])
  })
}

test('a drain of selected connections ends their streams, and no others', async (t) => {
  const { drain, port } = await drainOf(t, httpsServer(streamEvents), {
    onResponse: closeEventStreams({ last: LAST }),
  })
  const [first, second] = [await events(t, port, 'http1'), await events(t, port, 'http1')]
  const run = drain.start({ where: ({ remotePort }) => remotePort === first.localPort })

  assert.ok((await first.rest).endsWith(LAST))
  assert.equal((await run.complete()).closed.http1, 1)
  assert.equal(drain.connections().http1, 1)
  drain.start()
  assert.ok((await second.rest).endsWith(LAST))
})

test('examples/drain/event-streams.js exits at SIGTERM with 0, and an EventSource continues with another server', {
  skip: onFirstNodeOnly,
}, async (t) => {
  const authority = createAuthority()
  const dir = tempDir(t)
  writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  const example = startExample(t, 'drain/event-streams.js', { dir })
  const port = Number((await example.next((line) => line.startsWith('listening'))).split(' ').at(-1))
  const leaf = authority.issue({ names: ['localhost'] })
  const second = https.createServer({ cert: leaf.chainPem, key: leaf.keyPem }, streamEvents)
  const ports = [port, await listen(t, second)]
  const dispatcher = new Agent({ connect: { ca: authority.certPem } })
  const source = new EventSource(`https://localhost:${await front(t, ports)}/`, {
    node: { dispatcher },
  } as never)
  t.after(() => source.close())
  t.after(() => dispatcher.destroy())
  const sources = new Set<string>()
  const moved = new Promise<void>((resolve) => {
    source.onmessage = ({ data }) => {
      sources.add(data as string)
      if (sources.size === 2) resolve()
    }
  })
  const bye = new Promise((resolve) =>
    source.addEventListener('bye', (event) => resolve((event as MessageEvent).data)),
  )
  await new Promise<void>((resolve) => source.addEventListener('message', () => resolve(), { once: true }))

  assert.equal(await example.stop('SIGTERM'), 0)
  assert.equal(await bye, 'the server is going away')
  await moved
})

/** Like applications do: headers that `getHeader` does not know, and a timer that writes until the response has closed. */
function streamEvents(_request: unknown, response: ServerResponse): void {
  response.writeHead(200, HEADERS)
  response.write('data: 0\n\n')
  const timer = setInterval(() => response.write('data: 0\n\n'), 2)
  response.once('close', () => clearInterval(timer))
}

function endlessEvents(): Readable {
  return Readable.from(
    (async function* () {
      for (;;) {
        yield 'data: 0\n\n'
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })(),
  )
}

async function fastifyServer<App extends { ready(): PromiseLike<unknown>; server: Server }>(
  app: App,
  addRoute: (app: App) => unknown,
): Promise<Server> {
  addRoute(app)
  await app.ready()
  return app.server
}

/** An event stream that has begun, and its full text when it has ended. */
async function events(
  t: TestContext,
  port: number,
  protocol: 'http1' | 'http2',
): Promise<{ rest: Promise<string>; localPort: number | undefined }> {
  if (protocol === 'http2') {
    const session = http2Client(t, port)
    const stream = session.request({ ':path': '/events' })
    const rest = text(stream)
    await once(stream, 'response')
    return { rest, localPort: undefined }
  }
  const request = https.get({
    host: '127.0.0.1',
    port,
    path: '/events',
    rejectUnauthorized: false,
    agent: false,
  })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { localPort } = response.socket
  return { rest: text(response), localPort }
}

async function ask(port: number, path = '/'): Promise<string> {
  const request = https.get({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}
