/*
 * Trust domains: the CA of one domain must not vouch for identities of another, on any protocol, over a resumed session, in
 * either direction.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'

import { shareEngine } from '../../../src/main/fleet/index.js'
import type { ReloadEngine } from '../../../src/main/index.js'
import { checkServerIdentity } from '../../../src/main/sources/spiffe/index.js'
import { got } from '../../../support/clients/https-text.js'
import { blocksIn } from '../../../support/docs/markdown.js'
import { nextEvent, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinOnThread } from '../../../support/fleet/fleet-member.js'
import { type Authority, createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const own = createAuthority({ name: 'example.org' })
const other = createAuthority({ name: 'other.test' })
const WEB = 'spiffe://example.org/web'
const web = own.issue({ names: ['localhost'], uris: [WEB] })
/** Both domains, with the anchors that each has. */
const both = { 'example.org': [own.certDer], 'other.test': [other.certDer] }

const client = clientOf(own, 'spiffe://example.org/client')
const partner = clientOf(other, 'spiffe://other.test/client')
/** The CA of the other domain issues an identity of ours. */
const impostor = clientOf(other, 'spiffe://example.org/client')
const nameless = other.issue({ names: ['client.test'] })
const several = own.issue({ names: [], uris: ['spiffe://example.org/a', 'spiffe://example.org/b'] })

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${maxVersion}: a tls server accepts each peer of its own domain's CA, and no other byte`, async (t) => {
    const engine = await engineWith(t, { requestCert: true })
    let bytes = 0
    const seen: unknown[] = []
    const server = tls.createServer(engine.serverOptions(), (socket) => {
      seen.push(socket.destroyed || socket.authorized)
      socket
        .on('error', () => {})
        .on('data', (data) => {
          bytes += data.length
          socket.end(data)
        })
    })
    engine.attach(server)
    const port = await listen(t, server)
    const echo = (leaf: Leaf) => said(port, leaf, { maxVersion })
    assert.equal(await echo(client), 'hello')
    assert.equal(await echo(partner), 'hello')
    assert.equal(bytes, 10)
    for (const leaf of [impostor, nameless, several]) assert.equal(await echo(leaf), '')
    assert.equal(bytes, 10, 'no byte of a refused peer reached the application')
    assert.equal(seen.filter((one) => one === true).length, seen.length)
  })

  test(`${maxVersion}: the session of an accepted peer is resumed, that of an impostor is refused`, async (t) => {
    const engine = await engineWith(t, { requestCert: true })
    let serverSession = ''
    const server = tls.createServer(engine.serverOptions(), (socket) => {
      serverSession = socket.getSession()?.toString('latin1') ?? ''
      socket.on('error', () => {}).pipe(socket)
    })
    engine.attach(server)
    const port = await listen(t, server)
    const accepted = await sessionOf(port, client, maxVersion)
    let resumed = false
    const note = (socket: TLSSocket) => {
      socket.on('secureConnect', () => {
        resumed = socket.isSessionReused()
      })
    }
    assert.equal(await said(port, client, { maxVersion, session: accepted }, note), 'hello')
    assert.equal(resumed, true)
    // A server that checks no domains, as another program with the same ticket keys would.
    const [context] = /[0-9a-f]{32}/.exec(serverSession) ?? []
    const careless = tls.createServer(
      {
        ...materialOf(web),
        ...{ ca: [own.certPem, other.certPem], requestCert: true, maxVersion },
        ...{ ticketKeys: server.getTicketKeys(), sessionIdContext: context },
      },
      (socket) => socket.on('error', () => {}).pipe(socket),
    )
    const ticket = await sessionOf(await listen(t, careless), impostor, maxVersion)
    resumed = false
    assert.equal(await said(port, impostor, { maxVersion, session: ticket }, note), '')
    // OpenSSL 3.5 does not resume it: the impostor makes a full handshake instead, which is refused as well.
    if (process.versions.openssl.startsWith('3.0.')) {
      assert.equal(resumed, true, 'OpenSSL resumed it, and the engine refused it')
    }
  })
}

test('an https server answers no request of an impostor, and sees none', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  let requests = 0
  const server = https.createServer(engine.serverOptions(), (_request, response) => {
    requests++
    response.end('hello')
  })
  engine.attach(server)
  const port = await listen(t, server)
  const ask = (leaf: Leaf) => got({ port, agent: false, ...materialOf(leaf), ca: own.certPem })
  assert.equal(await ask(client), 'hello')
  assert.equal(await ask(partner), 'hello')
  assert.equal(requests, 2)
  for (const leaf of [impostor, nameless, several]) await assert.rejects(ask(leaf))
  assert.equal(requests, 2)
})

test('an http2 server opens no stream for an impostor', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  let streams = 0
  const server = http2.createSecureServer(engine.serverOptions())
  server.on('stream', (stream) => {
    streams++
    stream.respond()
    stream.end('hello')
  })
  server.on('sessionError', () => {})
  engine.attach(server)
  const port = await listen(t, server)
  const ask = async (leaf: Leaf) => {
    const session = http2.connect(`https://localhost:${port}`, { ...materialOf(leaf), ca: own.certPem })
    session.on('error', () => {})
    try {
      const stream = session.request({ ':path': '/' })
      stream.on('error', () => {})
      let text = ''
      stream.on('data', (data) => {
        text += String(data)
      })
      await once(stream, 'close')
      return text
    } finally {
      session.destroy()
    }
  }
  assert.equal(await ask(client), 'hello')
  assert.equal(streams, 1)
  for (const leaf of [impostor, nameless, several]) assert.equal(await ask(leaf), '')
  assert.equal(streams, 1)
})

test('a server that only requests certificates refuses an impostor, and serves a client without one', async (t) => {
  const engine = await engineWith(t, { requestCert: true, rejectUnauthorized: false })
  const authorized: boolean[] = []
  const server = tls.createServer(engine.serverOptions(), (socket) => {
    if (!socket.destroyed) authorized.push(socket.authorized)
    socket.on('error', () => {}).pipe(socket)
  })
  engine.attach(server)
  const port = await listen(t, server)
  assert.equal(await said(port, client), 'hello')
  assert.equal(await said(port, null), 'hello')
  assert.equal(await said(port, createAuthority().issue()), 'hello')
  assert.deepEqual(authorized, [true, false, false])
  assert.equal(await said(port, impostor), '')
  assert.equal(authorized.length, 3)
})

test('intermediates of the own domain are followed, one that another domain issued is not', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  const server = tls.createServer(engine.serverOptions(), (socket) =>
    socket.on('error', () => {}).pipe(socket),
  )
  engine.attach(server)
  const port = await listen(t, server)
  const below = (authority: Authority) => clientOf(authority.issueAuthority(), 'spiffe://example.org/below')
  assert.equal(await said(port, below(own)), 'hello')
  assert.equal(await said(port, below(other)), '')
})

test('an expired intermediate of the own domain does not help an impostor who has its key', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  const server = tls.createServer(engine.serverOptions(), (socket) =>
    socket.on('error', () => {}).pipe(socket),
  )
  engine.attach(server)
  const port = await listen(t, server)
  const day = 24 * 3600 * 1000
  const expired = own.issueAuthority({
    name: 'below',
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  })
  const crossSigned = other.issueAuthority({ name: 'below', key: expired })
  const leaf = clientOf(crossSigned, 'spiffe://example.org/client')
  // The chain leads to the other domain's CA by one certificate, and to ours by the expired one.
  assert.equal(await said(port, { ...leaf, chainPem: leaf.chainPem + expired.certPem }), '')
})

test('a CA that is constrained to a partner cannot issue our identities, although OpenSSL checks another path', async (t) => {
  const partnerCa = createAuthority({ name: 'partner' })
  const constrained = own.issueAuthority({ name: 'partner', key: partnerCa, permittedUris: ['partner.test'] })
  const trustDomains = { 'example.org': [own.certDer], 'partner.test': [partnerCa.certDer] }
  const source = new MemorySource(deliveryOf(web, '1', { trustDomains }))
  const engine = await startEngine(t, { source, requestCert: true })
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const port = await listen(t, server)
  assert.equal(await said(port, clientOf(constrained, 'spiffe://partner.test/client')), 'hello')
  assert.equal(await said(port, clientOf(constrained, 'spiffe://example.org/admin')), '')
  const allowed = own.issueAuthority({ permittedUris: ['example.org'] })
  assert.equal(await said(port, clientOf(allowed, 'spiffe://example.org/client')), 'hello')
})

test('a domain that is removed shrinks trust: its open connections are found, its sessions end', async (t) => {
  const source = new MemorySource(deliveryOf(web, '1', { trustDomains: both }))
  const engine = await startEngine(t, { source, requestCert: true })
  const sockets = new Set<TLSSocket>()
  const server = tls.createServer(engine.serverOptions(), (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).pipe(socket)
  })
  engine.attach(server)
  const port = await listen(t, server)
  const open = [await connected(t, port, client), await connected(t, port, partner)]
  assert.deepEqual(await engine.distrusted(sockets), new Set())
  const applied = nextEvent(engine, 'applied')
  // The anchor stays, but in another domain.
  source.push(
    deliveryOf(web, '2', { trustDomains: { 'example.org': [own.certDer], 'third.test': [other.certDer] } }),
  )
  const result = await applied
  assert.equal(result.diff?.sessionsSurvive, false)
  const distrusted = [...(await engine.distrusted(sockets))]
  assert.deepEqual(
    distrusted.map(({ remotePort }) => remotePort),
    [open[1]?.localPort],
  )
  assert.equal(await said(port, partner), '')
  assert.equal(await said(port, client), 'hello')
})

test('a server that is not attached accepts no client certificate', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  const server = tls.createServer(engine.serverOptions(), (socket) =>
    socket.on('error', () => {}).pipe(socket),
  )
  const port = await listen(t, server)
  for (const leaf of [client, impostor]) assert.equal(await said(port, leaf), '')
  engine.attach(server)
  assert.equal(await said(port, client), 'hello')
  assert.equal(await said(port, impostor), '')
})

test('the example that compares SPIFFE IDs ends others, and does not fail when the engine has refused one', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  const [example] = blocksIn('docs/sources/spiffe.md').filter(({ text }) => text.startsWith('server.on('))
  new Function('server', example?.text ?? 'throw new Error("the page has no example")')(server)
  const port = await listen(t, server)
  assert.equal(await said(port, client), 'hello')
  for (const leaf of [partner, impostor, nameless]) assert.equal(await said(port, leaf), '')
  assert.equal(await said(port, client), 'hello')
})

test('a client of a detached server cannot renegotiate, which could change its certificate unseen', async (t) => {
  const engine = await engineWith(t, { requestCert: true })
  const server = createEcho(engine.serverOptions())
  const detach = engine.attach(server)
  const port = await listen(t, server)
  detach()
  const socket = tls.connect({
    ...materialOf(client),
    port,
    maxVersion: 'TLSv1.2',
    rejectUnauthorized: false,
  })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  const closed = once(socket.resume(), 'close')
  socket.renegotiate({ rejectUnauthorized: false }, () => {})
  await closed
  assert.equal(await said(port, client), 'hello')
})

test('a thread of a fleet applies the same rule', async (t) => {
  const shared = shareEngine(await engineWith(t, { requestCert: true }))
  t.after(() => shared.close())
  const { port } = await joinOnThread(t, shared)
  assert.equal(await said(port, client), 'hello')
  assert.equal(await said(port, partner), 'hello')
  for (const leaf of [impostor, nameless, several]) assert.equal(await said(port, leaf), '')
})

test('anchors of files verify no peer while trust domains are delivered', async (t) => {
  const file = createAuthority()
  const { cert: ca } = writePair(tempDir(t), { ...file, chainPem: file.certPem })
  const source = new MemorySource(deliveryOf(web, '1', { trustDomains: both }))
  const engine = await startEngine(t, { source, ca, requestCert: true })
  const server = tls.createServer(engine.serverOptions(), (socket) =>
    socket.on('error', () => {}).pipe(socket),
  )
  engine.attach(server)
  const port = await listen(t, server)
  assert.equal(await said(port, client), 'hello')
  assert.equal(await said(port, clientOf(file, 'spiffe://example.org/client')), '')
  assert.equal(await said(port, file.issue({ names: ['client.test'] })), '')
})

test('trust domains without an anchor, or with a wrong name, are refused', async (t) => {
  const source = new MemorySource(deliveryOf(web, '1', { trustDomains: both }))
  const engine = await startEngine(t, { source })
  for (const trustDomains of [
    {},
    { 'example.org': [] },
    { 'spiffe://example.org': [own.certDer] },
    { 'Example.org': [own.certDer] },
  ]) {
    source.set(deliveryOf(web, '2', { trustDomains }))
    const { outcome, problems } = await engine.reload()
    assert.equal(outcome, 'rejected')
    assert.equal(problems[0]?.code, 'SOURCE_INVALID')
  }
  source.set(deliveryOf(web, '3', { trustDomains: both }))
  assert.equal((await engine.reload()).outcome, 'unchanged')
})

test('a client accepts a server only if the CA of its own domain vouches for it', async (t) => {
  const engine = await engineWith(t)
  const api = 'spiffe://example.org/api'
  const good = await plainServer(t, own.issue({ names: ['localhost'], uris: [api] }))
  const bad = await plainServer(t, other.issue({ names: ['localhost'], uris: [api] }))
  const check = checkServerIdentity({ engine, ids: [api] })
  const agents = {
    'by SPIFFE ID': engine.agent({ checkServerIdentity: check }),
    'by host name, as by default': engine.agent(),
  }
  for (const [how, agent] of Object.entries(agents)) {
    assert.equal(await got({ port: good, agent }), 'hello', how)
    await assert.rejects(got({ port: bad, agent }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, how)
  }
  const connect = async (port: number) => {
    const options = { port, host: 'localhost', checkServerIdentity: check }
    const socket = tls.connect({ ...options, secureContext: engine.secureContext() })
    t.after(() => socket.destroy())
    await once(socket, 'secureConnect')
  }
  await connect(good)
  await assert.rejects(connect(bad), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

test('a client compares the SPIFFE ID or the trust domain of the server, and needs no DNS name', async (t) => {
  const engine = await engineWith(t)
  const mine = await plainServer(t, own.issue({ names: [], uris: ['spiffe://example.org/api'] }))
  const theirs = await plainServer(t, other.issue({ names: [], uris: ['spiffe://other.test/api'] }))
  const anonymous = await plainServer(t, own.issue({ names: ['localhost'] }))
  const ask = (port: number, wanted: { ids?: string[]; trustDomain?: string }) =>
    got({ port, agent: engine.agent({ checkServerIdentity: checkServerIdentity({ engine, ...wanted }) }) })
  assert.equal(await ask(mine, { ids: ['spiffe://example.org/api'] }), 'hello')
  assert.equal(await ask(mine, { trustDomain: 'example.org' }), 'hello')
  assert.equal(await ask(theirs, { trustDomain: 'other.test' }), 'hello')
  const refused = { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }
  await assert.rejects(ask(mine, { ids: ['spiffe://example.org/db'] }), refused)
  await assert.rejects(ask(theirs, { trustDomain: 'example.org' }), refused)
  await assert.rejects(ask(anonymous, { trustDomain: 'example.org' }), refused)
  for (const wanted of [
    {},
    { ids: [] },
    { ids: ['example.org/api'] },
    { trustDomain: 'spiffe://example.org/a' },
  ]) {
    assert.throws(() => checkServerIdentity({ engine, ...wanted }), { code: 'OPTIONS_INVALID' })
  }
})

function engineWith(
  t: TestContext,
  options: { requestCert?: boolean; rejectUnauthorized?: boolean } = {},
): Promise<ReloadEngine> {
  return startEngine(t, {
    source: new MemorySource(deliveryOf(web, '1', { trustDomains: both })),
    ...options,
  })
}

function clientOf(authority: Authority, id: string): Leaf {
  return authority.issue({ names: [], uris: [id] })
}

function materialOf({ chainPem, keyPem }: Pick<Leaf, 'chainPem' | 'keyPem'>) {
  return { cert: chainPem, key: keyPem }
}

/** What the server echoes before it closes the connection; empty if it refuses the client. */
async function said(
  port: number,
  leaf: Pick<Leaf, 'chainPem' | 'keyPem'> | null,
  options: tls.ConnectionOptions = {},
  prepare: (socket: TLSSocket) => void = () => {},
): Promise<string> {
  const socket = tls.connect({
    port,
    host: 'localhost',
    ca: own.certPem,
    ...(leaf && materialOf(leaf)),
    ...options,
  })
  prepare(socket)
  let text = ''
  socket
    .on('error', () => {})
    .on('data', (data) => {
      text += String(data)
      if (text === 'hello') socket.end()
    })
  socket.write('hello')
  // Not `once` of node:events, which rejects when the server breaks the connection.
  await new Promise((resolve) => void socket.on('close', resolve))
  return text
}

/** The session that a server gives a client. */
async function sessionOf(port: number, leaf: Leaf, maxVersion: tls.SecureVersion): Promise<Buffer> {
  const sessions: Buffer[] = []
  const note = (socket: TLSSocket) => socket.on('session', (session) => sessions.push(session))
  assert.equal(await said(port, leaf, { maxVersion }, note), 'hello')
  const session = sessions.at(-1)
  assert.ok(session)
  return session
}

async function connected(t: TestContext, port: number, leaf: Leaf): Promise<TLSSocket> {
  const socket = tls.connect({ port, host: 'localhost', ca: own.certPem, ...materialOf(leaf) })
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  socket.write('hello')
  await once(socket, 'data')
  return socket
}

/** A server of another program, which the engine's clients verify. */
function plainServer(t: TestContext, leaf: Leaf): Promise<number> {
  const server = https.createServer(materialOf(leaf), (_request, response) => response.end('hello'))
  return listen(t, server)
}
