/*
 * Clients that lost their trust are disconnected: the client of a CA that was removed, or of a certificate that was revoked.
 * Node, and every other server that reloads, lets them stay for as long as they keep their connections.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ServerHttp2Stream } from 'node:http2'
import net from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

import {
  createDrain,
  type Drain,
  DrainError,
  type DrainOptions,
  type TrustSource,
} from '../../../src/main/drain/index.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { type Arrivals, arrivals } from '../../../support/base/arrivals.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { connectTls, http2Client, readToEnd, received } from '../../../support/servers/drains.js'
import { listen } from '../../../support/servers/echo-server.js'

const serverAuthority = createAuthority()
const staying = createAuthority({ name: 'Staying CA' })
const leaving = createAuthority({ name: 'Leaving CA' })
const [stayer, leaver] = [staying.issue(), leaving.issue()]

for (const what of ['a CA that is removed', 'a certificate that is revoked'] as const) {
  test(`the client of ${what} ends its running stream, gets a GOAWAY, and is not admitted again`, async (t) => {
    const site = await mutual(t, [staying, leaving], { crl: [staying.crl(), leaving.crl()] })
    const [gone, kept] = [client(t, site.port, leaver), client(t, site.port, stayer)]
    const [goneStream, goneAnswer] = await exchange(gone, site.streams)
    const [keptStream, keptAnswer] = await exchange(kept, site.streams)
    const goaway = once(gone, 'goaway')
    const toldKept: unknown[] = []
    kept.on('goaway', (code) => toldKept.push(code))

    if (what === 'a CA that is removed') await site.trust([staying])
    else await site.revoke([staying.crl(), leaving.crl({ revoked: [leaver.serial] })])
    assert.equal((await goaway)[0], http2.constants.NGHTTP2_NO_ERROR)
    assert.equal(site.drain.state, 'running')
    goneAnswer.end('goodbye')
    assert.equal(await text(goneStream), 'goodbye')
    await eventually('the session is closed', () => gone.destroyed)
    await assertRefused({ port: site.port, alpn: ['h2'], confirm: true, ...identityOf(leaver) })

    keptAnswer.end('stay')
    assert.equal(await text(keptStream), 'stay')
    const [again, answer] = await exchange(kept, site.streams)
    answer.end('still here')
    assert.equal(await text(again), 'still here')
    assert.deepEqual(toldKept, [])
    await once(client(t, site.port, stayer), 'connect')
  })
}

test('a connection that does not end in time is cut at the deadline', async (t) => {
  const site = await mutual(t, [staying, leaving], {}, { deadlineMs: 300 })
  const gone = client(t, site.port, leaver)
  const [stream] = await exchange(gone, site.streams)
  stream.on('error', () => {})
  const closed = once(stream, 'close')
  await site.trust([staying])
  await closed
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL)
})

test('a CA certificate that is renewed, or becomes trusted through another one, costs no client its connection', async (t) => {
  const site = await mutual(t, [staying, leaving])
  const kept = client(t, site.port, leaver)
  await once(kept, 'connect')
  const goaways: unknown[] = []
  kept.on('goaway', (code) => goaways.push(code))
  const renewed = createAuthority({ name: leaving.name, key: leaving })
  await site.trust([staying, renewed])
  await site.trust([renewed])
  await site.looked()
  assert.deepEqual(goaways, [])
  assert.equal(kept.closed, false)
})

test('a rollback of trust that removes a CA again also disconnects its clients', async (t) => {
  const site = await mutual(t, [staying])
  await site.trust([staying, leaving])
  const gone = client(t, site.port, leaver)
  // With TLS 1.3 a client is connected before the server has finished; until then its handshake would be closed.
  await once(gone, 'remoteSettings')
  const goaway = once(gone, 'goaway')
  assertApplied(await site.engine.rollback({ trust: true }))
  await goaway
})

test('a connection whose handshake had not ended when the CA was removed is closed', async (t) => {
  const site = await mutual(t, [staying, leaving])
  const raw = net.connect(site.port, '127.0.0.1').resume()
  t.after(() => raw.destroy())
  await eventually('the handshake is counted', () => site.drain.connections().handshake === 1)
  await Promise.all([site.trust([staying]), once(raw, 'close')])
  await eventually('it is no longer counted', () => site.drain.connections().handshake === 0)
})

test('by default, admitted clients stay; one call sends close notices to those that lost their trust', async (t) => {
  const site = await mutual(t, [staying, leaving], {}, { onTrustRemoved: 'keep' })
  const [gone, kept] = [client(t, site.port, leaver), client(t, site.port, stayer)]
  await Promise.all([once(gone, 'connect'), once(kept, 'connect')])
  await eventually('both are counted', () => site.drain.connections().http2 === 2)
  const goaways: unknown[] = []
  gone.on('goaway', (code) => goaways.push(code))
  await site.trust([staying])
  await site.looked()
  assert.deepEqual(goaways, [])

  const run = await site.drain.startDistrusted()
  assert.equal(run.reason, 'trust removed')
  const { outcome, closed } = await run.complete()
  assert.deepEqual([outcome, closed.http2], ['drained', 1])
  assert.equal(goaways.length, 1)
  assert.equal(kept.closed, false)
  const none = await site.drain.startDistrusted({ reason: 'again' })
  assert.equal((await none.complete()).closed.http2, 0)
})

test('HTTP/1.1 clients get their close notice with the answer to the running request', async (t) => {
  const site = await mutual(t, [staying, leaving])
  const socket = await connectTls(t, site.port, { ...identityOf(leaver), ALPNProtocols: ['http/1.1'] })
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  assert.match(await received(socket, '\r\n\r\n'), /keep-alive/i)
  const ending = readToEnd(socket)
  await site.trust([staying])
  assert.equal((await ending).how, 'end')
})

test('a drain without an engine cannot decide which clients lost their trust', async (t) => {
  const drain = createDrain({ servers: [], logger: recordingLogger() })
  t.after(() => drain.close())
  await assert.rejects(drain.startDistrusted(), { code: 'OPTIONS_INVALID' })
  assert.throws(() => createDrain({ servers: [], onTrustRemoved: 'drain' }), DrainError)
})

interface MutualSite {
  readonly engine: ReloadEngine
  readonly drain: Drain
  readonly port: number
  readonly streams: Arrivals<ServerHttp2Stream>
  /** Replaces the CAs with these, and reloads. */
  trust(authorities: readonly Authority[]): Promise<void>
  revoke(lists: readonly string[]): Promise<void>
  /** Resolves once the drain has looked for the clients that the last change of trust affects. */
  looked(): Promise<unknown>
}

/** An HTTP/2 server with mutual TLS whose trust the test changes; HTTP/1.1 requests are answered at once. */
async function mutual(
  t: TestContext,
  authorities: readonly Authority[],
  { crl }: { readonly crl?: readonly string[] } = {},
  options: Partial<DrainOptions> = {},
): Promise<MutualSite> {
  const dir = tempDir(t)
  const [ca, lists] = [join(dir, 'ca.pem'), join(dir, 'crl.pem')]
  const bundle = (all: readonly Authority[]) => all.map(({ certPem }) => certPem).join('')
  overwriteInPlace(ca, bundle(authorities))
  if (crl) overwriteInPlace(lists, crl.join(''))
  const engine = await startEngine(t, {
    ...writePair(dir, serverAuthority.issue()),
    ca,
    ...(crl ? { crl: lists } : {}),
    requestCert: true,
  } satisfies ReloadEngineOptions)
  const server = http2.createSecureServer(engine.serverOptions({ allowHTTP1: true }))
  const streams: Arrivals<ServerHttp2Stream> = arrivals()
  server.on('sessionError', () => {})
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {})
    streams.put(stream)
  })
  server.on('request', (request, response) => {
    if (request.httpVersionMajor === 1) response.end()
  })
  engine.attach(server)
  const looks: Promise<unknown>[] = []
  const source: TrustSource = {
    generationOf: (socket) => engine.generationOf(socket),
    status: () => engine.status(),
    on: (event, listener) => engine.on(event, listener),
    off: (event, listener) => engine.off(event, listener),
    distrusted(connections) {
      const look = engine.distrusted(connections)
      looks.push(look)
      return look
    },
  }
  const drain = createDrain({
    servers: [server],
    engine: source,
    onTrustRemoved: 'drain',
    logger: recordingLogger(),
    ...options,
  })
  t.after(() => drain.close())
  const change = async (path: string, content: string) => {
    overwriteInPlace(path, content)
    assertApplied(await engine.reload())
  }
  return {
    engine,
    drain,
    streams,
    port: await listen(t, server),
    trust: (all) => change(ca, bundle(all)),
    revoke: (all) => change(lists, all.join('')),
    looked: () => Promise.all(looks),
  }
}

function client(t: TestContext, port: number, leaf: Leaf): ClientHttp2Session {
  return http2Client(t, port, identityOf(leaf))
}

/** A stream that runs until the test ends it, seen from both sides. */
async function exchange(session: ClientHttp2Session, streams: Arrivals<ServerHttp2Stream>) {
  const stream = session.request({ ':path': '/' })
  const answer = await streams.next()
  answer.respond()
  return [stream, answer] as const
}

function identityOf({ certPem: cert, keyPem: key }: Leaf) {
  return { cert, key }
}
