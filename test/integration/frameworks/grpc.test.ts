/*
 * gRPC with a drain: `@grpc/grpc-js` gets its connections from a TLS server. The drain took them for raw ones, sent no GOAWAY
 * and cut them at the deadline.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import grpc from '@grpc/grpc-js'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { startExample } from '../../../support/processes/example-process.js'
import { drainOf, none, stillDrainOf } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'
import { greeterService } from '../../../support/servers/greeter.js'

const authority = createAuthority()
const leaf = authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] })
const GreeterClient = grpc.makeGenericClientConstructor(greeterService, 'Greeter')

for (const http2 of ['single', 'two-phase'] as const) {
  test(`unary calls continue with another gRPC server, without an error, when one drains (${http2})`, async (t) => {
    const a = await drainOf(t, grpcServer(t, 'a').server, { http2 })
    const b = await drainOf(t, grpcServer(t, 'b').server, { http2 })
    // The first connection makes the gRPC server known; later ones are watched from their beginning.
    await clientOf(t, [a.port]).greet()
    const client = clientOf(t, [a.port, b.port])
    const answers: string[] = []
    let asking = true
    const loops = Array.from({ length: 8 }, async () => {
      while (asking) answers.push(await client.greet())
    })
    await until(() => answers.length > 20)
    assert.equal(a.drain.connections().http2, 2)
    const before = answers.length
    a.drain.start()

    const { outcome, closed } = await a.drain.complete()
    await until(() => answers.length > before + 40)
    asking = false
    await Promise.all(loops)
    assert.deepEqual([outcome, closed], ['drained', { ...none, http2: 2 }])
    assert.equal(answers.at(-1), 'b')
  })
}

test('a call in progress at the GOAWAY is answered, and the connection closes with it', async (t) => {
  const { server, calls } = grpcServer(t, 'a')
  const { drain, port } = await drainOf(t, server)
  const client = clientOf(t, [port])
  const watch = client.watch()
  await once(watch, 'data')
  let goaways = 0
  drain.on('goaway', () => goaways++)
  drain.start()
  const [call] = calls
  call?.write({ text: 'last words' })
  assert.deepEqual(await once(watch, 'data'), [{ text: 'last words' }])
  call?.end()
  watch.resume()

  assert.equal((await once(watch, 'status'))[0].code, grpc.status.OK)
  assert.deepEqual((await drain.complete()).closed, { ...none, http2: 1 })
  assert.equal(goaways, 1)
})

test('an endless call is recognized by its path: onStream gets it, and it is cut at the deadline as http2', async (t) => {
  const { server } = grpcServer(t, 'a')
  const paths: unknown[] = []
  const { drain, port, clock } = await stillDrainOf(t, server, {
    deadlineMs: 5_000,
    pingTimeoutMs: Number.POSITIVE_INFINITY,
    onStream: (stream) => paths.push(stream.sentHeaders?.['content-type']),
  })
  const client = clientOf(t, [port])
  const watch = client.watch()
  await once(watch, 'data')
  drain.start()
  await clock.advance(5_000)
  const failed = once(watch, 'error')
  await clock.advance(500)

  assert.deepEqual(paths, ['application/grpc+proto'])
  assert.equal((await failed)[0].code, grpc.status.CANCELLED)
  assert.deepEqual((await drain.complete()).forced, { ...none, http2: 1 })
})

test('a selective drain sends GOAWAY to the selected gRPC clients only', async (t) => {
  const { server } = grpcServer(t, 'a')
  const { drain, port } = await drainOf(t, server)
  const [first, second] = [clientOf(t, [port]), clientOf(t, [port])]
  const watches = [first, second].map((client) => client.watch())
  await Promise.all(watches.map((watch) => once(watch, 'data')))
  assert.equal(drain.connections().http2, 2)
  let chosen: number | undefined
  const run = drain.start({
    where: ({ protocol, remotePort }) => {
      assert.equal(protocol, 'http2')
      chosen ??= remotePort
      return remotePort === chosen
    },
  })
  assert.deepEqual(run.connections(), { ...none, http2: 1 })
  watches[0]?.cancel()
  watches[1]?.cancel()
  for (const watch of watches) watch.on('error', () => {})
  assert.deepEqual((await run.complete()).closed, { ...none, http2: 1 })
  assert.equal(drain.connections().http2, 1)
})

test('examples/drain/grpc.js: at SIGTERM unary calls and an endless stream continue with another server', {
  skip: onFirstNodeOnly,
}, async (t) => {
  const dir = tempDir(t)
  writePair(dir, leaf)
  const example = startExample(t, 'drain/grpc.js', { dir })
  const port = Number((await example.next((line) => line.startsWith('listening'))).split(' ').at(-1))
  const client = clientOf(t, [port, await listen(t, grpcServer(t, 'b').server)])
  const texts = new Set<string>()
  const codes: number[] = []
  const watch = () => {
    client
      .watch()
      .on('data', ({ text }: { text: string }) => texts.add(text))
      .on('error', ({ code }: grpc.ServiceError) => {
        codes.push(code)
        if (code === grpc.status.UNAVAILABLE && asking) watch()
      })
  }
  let [answers, asking] = [0, true]
  watch()
  await until(() => texts.size === 1)
  const loop = (async () => {
    for (; asking; answers++) await client.greet()
  })()

  assert.equal(await example.stop('SIGTERM'), 0)
  await until(() => texts.size === 2)
  const before = answers
  await until(() => answers > before + 10)
  asking = false
  await loop
  assert.deepEqual(codes, [grpc.status.UNAVAILABLE])
})

type Watch = grpc.ClientReadableStream<{ text: string }>
type WatchCall = grpc.ServerWritableStream<unknown, { text: string }>

/** A TLS server that passes its connections to `@grpc/grpc-js`, as in the recipe. It answers with its name. */
function grpcServer(t: TestContext, name: string): { server: tls.Server; calls: WatchCall[] } {
  const rpc = new grpc.Server()
  const calls: WatchCall[] = []
  rpc.addService(greeterService, {
    greet: (_call: unknown, answer: grpc.sendUnaryData<{ text: string }>) => answer(null, { text: name }),
    watch(call: WatchCall) {
      calls.push(call)
      call.write({ text: 'watching' })
    },
  })
  t.after(() => rpc.forceShutdown())
  const { injectConnection } = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure())
  const options = { cert: leaf.chainPem, key: leaf.keyPem, ALPNProtocols: ['h2'] }
  return { server: tls.createServer(options, injectConnection), calls }
}

/** A client that uses the first of the ports that works. */
function clientOf(t: TestContext, ports: readonly number[]): { greet(): Promise<string>; watch(): Watch } {
  const addresses = ports.map((port) => `127.0.0.1:${port}`).join(',')
  const client = new GreeterClient(
    `ipv4:${addresses}`,
    grpc.credentials.createSsl(Buffer.from(authority.certPem)),
    {
      'grpc.ssl_target_name_override': 'localhost',
      'grpc.default_authority': 'localhost',
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.use_local_subchannel_pool': 1,
    },
  )
  t.after(() => client.close())
  const methods = client as unknown as {
    greet(request: object, answered: (error: Error | null, reply: { text: string }) => void): void
    watch(request: object): Watch
  }
  return {
    watch: () => methods.watch({ text: 'x' }),
    greet: () =>
      new Promise((resolve, reject) => {
        methods.greet({ text: 'x' }, (error, reply) => (error ? reject(error) : resolve(reply.text)))
      }),
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2))
}
