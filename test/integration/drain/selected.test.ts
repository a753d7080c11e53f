import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import test, { type TestContext } from 'node:test'
import tls from 'node:tls'

import type { ConnectionFacts } from '../../../src/main/drain/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { GOAWAY, ofType, rawHttp2 } from '../../../support/clients/raw-http2.js'
import { createAuthority } from '../../../support/material/certificates.js'
import {
  connectTls,
  drainOf,
  httpsServer,
  identity,
  pausedHttp2,
  pausedHttps,
  readToEnd,
  received,
} from '../../../support/servers/drains.js'

const staying = createAuthority({ name: 'Staying CA' })
const removed = createAuthority({ name: 'Removed CA' })
const mutual = { ca: [staying.certPem, removed.certPem], requestCert: true, rejectUnauthorized: true }

test('only the connections that one CA admitted are drained; the others and new ones continue to be served', async (t) => {
  const { server, requests } = pausedHttps(mutual)
  const { drain, port } = await drainOf(t, server)
  const leaver = await clientOf(t, port, removed)
  const stayer = await clientOf(t, port, staying)
  leaver.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  stayer.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, other] = await requests.next()

  const run = drain.start({ where: ({ peer }) => peer?.issuers.includes(removed.fingerprint256) ?? false })
  assert.equal(run.connections().http1, 1)
  assert.deepEqual([drain.state, drain.ready], ['running', true])
  response.end('goodbye')
  other.end('stay')

  const { text, how } = await readToEnd(leaver)
  assert.match(text, /connection: close[\s\S]*goodbye/i)
  assert.equal(how, 'end')
  const { outcome, closed } = await run.complete()
  assert.deepEqual([outcome, closed.http1], ['drained', 1])

  assert.equal(stayer.readableEnded, false)
  stayer.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, again] = await requests.next()
  again.end('still here')
  assert.match(await received(stayer, 'still here'), /keep-alive/)
  await clientOf(t, port, staying)
})

test('the facts of a connection are those of its handshake, resumed or not', async (t) => {
  const server = tls.createServer({ ...identity, ...mutual }, (socket) => socket.on('error', () => {}))
  const { drain, port } = await drainOf(t, server, { generationOf: () => 7 })
  const leaf = staying.issue({ names: ['client-1'] })
  const first = await connectTls(t, port, { cert: leaf.certPem, key: leaf.keyPem, servername: 'localhost' })
  const session = await new Promise<Buffer>((resolve) => first.once('session', resolve))
  const second = await connectTls(t, port, {
    cert: leaf.certPem,
    key: leaf.keyPem,
    servername: 'localhost',
    session,
  })
  assert.equal(second.isSessionReused(), true)
  await eventually('both are counted', () => drain.connections().raw === 2)

  const seen: ConnectionFacts[] = []
  drain.start({ where: (facts) => seen.push(facts) < 0 })
  assert.equal(seen.length, 2)
  for (const facts of seen) {
    assert.equal(facts.protocol, 'raw')
    assert.equal(facts.remoteAddress, '127.0.0.1')
    assert.equal(facts.servername, 'localhost')
    assert.equal(facts.authorized, true)
    assert.equal(facts.generation, 7)
    assert.ok(facts.ageMs >= 0 && facts.ageMs < 20_000)
    assert.equal(facts.peer?.fingerprint256, leaf.fingerprint256)
    assert.equal(facts.peer?.subject, 'CN=client-1')
    assert.equal(facts.peer?.issuer, 'CN=Staying CA')
    assert.equal(facts.peer?.serial, leaf.serial)
    assert.equal(facts.peer?.notAfter, leaf.notAfter.toISOString())
    assert.deepEqual(facts.peer?.issuers, [staying.fingerprint256])
  }
  assert.deepEqual(
    seen.map(({ remotePort }) => remotePort),
    [first.localPort, second.localPort],
  )
})

test('HTTP/2 sessions can be selected by the requests that they serve', async (t) => {
  const { server, streams } = pausedHttp2()
  const { drain, port } = await drainOf(t, server)
  const chosen = await rawHttp2(t, port)
  const other = await rawHttp2(t, port)
  chosen.get(1, '/chosen?secret=1')
  other.get(1, '/other')
  const waiting = [await streams.next(), await streams.next()]

  const run = drain.start({ where: ({ requests }) => requests.includes('GET /chosen') })
  await chosen.frame(ofType(GOAWAY))
  for (const stream of waiting) {
    stream.respond()
    stream.end('whole')
  }
  assert.equal(await chosen.body(1), 'whole')
  chosen.socket.end()
  assert.equal((await run.complete()).closed.http2, 1)
  assert.equal(await other.body(1), 'whole')
  assert.equal(other.frames.some(ofType(GOAWAY)), false)
  assert.equal(server.listening, true)
})

test('a handshake in progress is selected by its result', async (t) => {
  const server = tls.createServer({ ...identity, ...mutual }, (socket) => socket.on('error', () => {}))
  const { drain, port } = await drainOf(t, server, { onRaw: (socket) => socket.end('bye') })
  const raw = net.connect(port, '127.0.0.1')
  t.after(() => raw.destroy())
  await eventually('the handshake is counted', () => drain.connections().handshake === 1)
  const run = drain.start({ where: ({ peer }) => peer?.issuers.includes(removed.fingerprint256) ?? false })

  const leaf = removed.issue({ names: ['late'] })
  const late = tls.connect({ socket: raw, cert: leaf.certPem, key: leaf.keyPem, rejectUnauthorized: false })
  assert.equal((await readToEnd(late)).text, 'bye')
  const { outcome, closed } = await run.complete()
  assert.deepEqual([outcome, closed.raw], ['drained', 1])
})

test('a selective drain cuts its unfinished connections at the deadline, and no others', async (t) => {
  const { server, requests } = pausedHttps()
  const { drain, port } = await drainOf(t, server)
  const one = await connectTls(t, port)
  const two = await connectTls(t, port)
  for (const client of [one, two]) {
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await requests.next()
  }
  const run = drain.start({ where: ({ remotePort }) => remotePort === one.localPort, deadlineMs: 100 })
  await once(one, 'close')
  const { outcome, forced } = await run.complete()

  assert.deepEqual([outcome, forced.http1], ['forced', 1])
  assert.equal(two.destroyed, false)
  assert.equal(drain.state, 'running')
})

test('closing the drain ends the wait for a selective drain, and cuts none of its connections', async (t) => {
  const { server, requests } = pausedHttps(mutual)
  const { drain, port } = await drainOf(t, server)
  const client = await clientOf(t, port, staying)
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [, response] = await requests.next()
  const completed = drain.start({ where: () => true }).complete()
  drain.close()
  await assert.rejects(completed, { code: 'CLOSED' })
  response.end('still here')
  assert.match(await received(client, 'still here'), /200 OK/)
})

test('a selective drain without matches ends at once, and one whose where throws never starts', async (t) => {
  const { drain } = await drainOf(
    t,
    httpsServer(() => {}),
  )
  assert.equal((await drain.start({ where: () => true }).complete()).outcome, 'drained')
  drain.track({ goaway: () => {}, closed: new Promise(() => {}), destroy: () => {} })
  const unclear = new Error('unclear')
  const start = () =>
    drain.start({
      where: () => {
        throw unclear
      },
    })
  assert.throws(start, unclear)
  assert.equal(drain.state, 'running')
})

async function clientOf(t: TestContext, port: number, authority: typeof staying): Promise<tls.TLSSocket> {
  const { certPem: cert, keyPem: key } = authority.issue({ names: ['client'] })
  return connectTls(t, port, { cert, key })
}
