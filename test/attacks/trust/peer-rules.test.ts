/*
 * A client whose certificate is verified but not named by the rules of the option `peers` must reach no handler of the
 * application: with any protocol, version and session, at any time in the life of the server.
 */

import assert from 'node:assert/strict'
import type { EventEmitter } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import grpc from '@grpc/grpc-js'

import type { PeerRule, ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { connectFully, createGreeter, openOnly, stopHalfWay } from '../../../support/clients/admission.js'
import { renegotiatingClient, withoutPython } from '../../../support/clients/renegotiating-client.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { SERVER_LIVES } from '../../../support/engine/server-lives.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'
import { greeter, greeterService } from '../../../support/servers/greeter.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const servers = createAuthority()
const clients = createAuthority()
const web = issue('web')
const below = clients.issueAuthority().issue({ names: [], uris: [idOf('web')], extendedKeyUsage: 'client' })
const intern = issue('intern')
const bystander = clients.issue({ names: ['web.example.org'], extendedKeyUsage: 'client' })
const WEB: readonly PeerRule[] = [{ uri: idOf('web') }]

for (const [life, [live, serves]] of Object.entries(SERVER_LIVES)) {
  for (const version of VERSIONS) {
    test(`${version}: a server that ${life} admits only the clients that a rule names, also by resumption`, async (t) => {
      const { engine, server, port } = await site(t)
      await live(engine, server)
      const codes: unknown[] = []
      server.on('tlsClientError', (error: NodeJS.ErrnoException) => codes.push(error.code))
      for (const leaf of [web, below]) {
        const first = await connectFully({ port, version, ...identityOf(leaf) })
        assert.equal(first.admission, serves ? 'full' : 'refused')
        if (!serves) continue
        const again = await connectFully({ port, version, ...identityOf(leaf), session: first.session })
        assert.equal(again.admission, 'resumed')
      }
      if (serves) assert.deepEqual(codes, [])
      for (const leaf of [intern, bystander]) {
        assert.equal((await connectFully({ port, version, ...identityOf(leaf) })).admission, 'refused')
      }
      if (serves) assert.deepEqual(codes, ['PEER_NOT_ALLOWED', 'PEER_NOT_ALLOWED'])
    })
  }
}

for (const version of VERSIONS) {
  test(`${version}: a session of a client that the rules no longer name is not resumed, nor admitted`, async (t) => {
    const { engine, server, port, allow } = await site(t, [...WEB, { uri: idOf('intern') }])
    engine.attach(server)
    const client = { port, version, ...identityOf(intern) }
    const { session, admission } = await connectFully(client)
    assert.equal(admission, 'full')
    await allow(WEB)
    assert.equal((await connectFully({ ...client, session })).admission, 'refused')
    // The session belongs to the rules under which it began, so it is valid again with them.
    await allow([...WEB, { uri: idOf('intern') }])
    assert.equal((await connectFully({ ...client, session })).admission, 'resumed')
  })

  test(`${version}: a handshake that is held open while the rules are narrowed admits no client that they left out`, async (t) => {
    const { engine, server, port, allow } = await site(t, [...WEB, { uri: idOf('intern') }])
    engine.attach(server)
    const client = { port, version, ...identityOf(intern) }
    const { session } = await connectFully(client)
    const held = [
      await openOnly(server, client),
      await stopHalfWay(server, client),
      await stopHalfWay(server, { ...client, session }),
    ]
    await allow(WEB)
    for (const goOn of held) assert.equal((await goOn()).admission, 'refused')
  })

  test(`${version}: with optional certificates, a verified client without a rule is refused, and others are not authorized`, async (t) => {
    const { engine, server, port } = await site(t, WEB, { rejectUnauthorized: false })
    engine.attach(server)
    const stranger = createAuthority().issue({ uris: [idOf('web')] })
    for (const identity of [{}, identityOf(stranger)]) {
      const first = await connectFully({ port, version, ...identity })
      assert.deepEqual([first.admission, first.authorized], ['full', false])
      const again = await connectFully({ port, version, ...identity, session: first.session })
      assert.equal(again.authorized, false)
    }
    assert.equal((await connectFully({ port, version, ...identityOf(web) })).authorized, true)
    assert.equal((await connectFully({ port, version, ...identityOf(intern) })).admission, 'refused')
  })

  test(`${version}: nothing that a refused client sends with its handshake reaches a handler of tls, https or http2`, async (t) => {
    const { engine } = await site(t)
    const seen: string[] = []
    const kinds = () => [...new Set(seen.map((text) => text.replace(/ .*/s, '')))].sort()
    const plain = tls.createServer(engine.serverOptions(), (socket) => {
      socket.on('data', (data) => seen.push(`tls ${String(data)}`)).on('error', () => {})
    })
    const http1 = https.createServer(engine.serverOptions(), ({ url }, response) => {
      seen.push(`https ${url}`)
      response.end()
    })
    const both = http2.createSecureServer(engine.serverOptions({ allowHTTP1: true }))
    both.on('request', ({ url }: { url: string }, response: http2.Http2ServerResponse) => {
      seen.push(`http2 ${url}`)
      response.end()
    })
    both.on('stream', () => seen.push('stream'))
    both.on('session', (session) => {
      session.on('error', () => {})
      session.on('remoteSettings', () => seen.push('settings'))
    })
    for (const server of [plain, http1, both]) {
      engine.attach(server)
      const port = await listen(t, server)
      const alpn = server === both ? ['h2', 'http/1.1'] : ['http/1.1']
      for (const protocol of alpn) {
        for (const leaf of [intern, bystander]) await speak(port, version, leaf, protocol)
      }
    }
    assert.deepEqual(kinds(), [])
    // The same bytes of a client that a rule names do.
    for (const server of [plain, http1, both]) {
      const { port } = server.address() as { port: number }
      await speak(port, version, web, server === both ? 'h2' : 'http/1.1')
    }
    assert.deepEqual(kinds(), ['http2', 'https', 'settings', 'stream', 'tls'])
  })

  test(`${version}: members of a fleet apply the rules, and the primary counts what they refuse`, async (t) => {
    const { engine, allow } = await site(t)
    const member = await joinHere(t, engine)
    const server = createGreeter(member.serverOptions())
    member.attach(server)
    const port = await listen(t, server)
    const admission = async (leaf: Leaf) =>
      (await connectFully({ port, version, ...identityOf(leaf) })).admission
    assert.deepEqual([await admission(web), await admission(intern)], ['full', 'refused'])
    await allow([{ uri: idOf('intern') }])
    assert.deepEqual([await admission(web), await admission(intern)], ['refused', 'full'])
    assert.equal(member.status().refusedPeers.PEER_NOT_ALLOWED, 2)
    // The report that a commit brings.
    await allow(WEB)
    assert.equal(engine.status().refusedPeers.PEER_NOT_ALLOWED, 2)
    // What it refused since its last report is not lost either.
    assert.equal(await admission(intern), 'refused')
    await member.close()
    await eventually('the member has left', () => engine.status().members?.length === 0)
    assert.equal(engine.status().refusedPeers.PEER_NOT_ALLOWED, 3)
  })
}

for (const [what, second, serves] of [
  ['without a rule is refused', intern, false],
  ['that a rule names is authorized', web, true],
] as const) {
  test(`TLSv1.2: an unverified client that renegotiates with a certificate ${what}`, {
    skip: withoutPython,
  }, async (t) => {
    const { engine } = await site(t, WEB, { rejectUnauthorized: false })
    const seen: boolean[] = []
    const codes: unknown[] = []
    const server = tls.createServer(engine.serverOptions(), (socket) => {
      seen.push(socket.authorized)
      socket.on('error', () => {}).write('switch')
      socket.once('data', () => {
        socket.renegotiate({}, () => socket.write('after'))
        socket.once('data', () => {
          seen.push(socket.authorized)
          socket.destroy()
        })
      })
    })
    server.on('tlsClientError', (error: NodeJS.ErrnoException) => codes.push(error.code))
    engine.attach(server)
    const stranger = createAuthority().issue({ names: [], uris: [idOf('web')] })
    const client = renegotiatingClient(t, tempDir(t), await listen(t, server), [stranger, second])
    await client.exited
    assert.deepEqual(seen, serves ? [false, true] : [false])
    assert.deepEqual(codes, serves ? [] : ['PEER_NOT_ALLOWED'])
  })
}

for (const version of VERSIONS) {
  test(`${version}: rules apply beside trust domains: each client needs its own domain and a rule`, async (t) => {
    const other = createAuthority()
    const trustDomains = { 'example.org': [clients.certDer], 'other.test': [other.certDer] }
    const leaf = servers.issue({ names: ['localhost'], uris: [idOf('server')] })
    const source = new MemorySource(deliveryOf(leaf, '1', { trustDomains }))
    const engine = await startEngine(t, { source, requestCert: true, peers: { allow: WEB } })
    const server = createGreeter(engine.serverOptions())
    engine.attach(server)
    const codes: unknown[] = []
    server.on('tlsClientError', (error: NodeJS.ErrnoException) => codes.push(error.code))
    const port = await listen(t, server)
    const admission = async (identity: Leaf) =>
      (await connectFully({ port, version, ...identityOf(identity) })).admission
    const impostor = other.issue({ names: [], uris: [idOf('web')], extendedKeyUsage: 'client' })
    assert.deepEqual(
      [await admission(web), await admission(intern), await admission(impostor)],
      ['full', 'refused', 'refused'],
    )
    assert.deepEqual(codes, ['PEER_NOT_ALLOWED', 'TRUST_DOMAIN'])
    assert.deepEqual(engine.status().refusedPeers, { PEER_NOT_ALLOWED: 1, TRUST_DOMAIN: 1 })
  })

  test(`${version}: rules apply to an SNI host and to a second server of the engine`, async (t) => {
    const hosts = { 'a.example': writePair(tempDir(t), servers.issue({ names: ['a.example'] })) }
    const { engine, server, port } = await site(t, WEB, { hosts })
    engine.attach(server)
    const second = createGreeter(engine.serverOptions())
    engine.attach(second)
    const ports = [port, await listen(t, second)]
    for (const one of ports) {
      const admission = async (identity: Leaf) =>
        (await connectFully({ port: one, version, servername: 'a.example', ...identityOf(identity) }))
          .admission
      assert.deepEqual([await admission(web), await admission(intern)], ['full', 'refused'])
    }
  })
}

test('a call of a refused client reaches no handler of a gRPC server with injected connections', async (t) => {
  const { engine } = await site(t)
  const seen: string[] = []
  const rpc = new grpc.Server()
  rpc.addService(greeterService, {
    greet({ request }: grpc.ServerUnaryCall<{ text: string }, unknown>, answer: grpc.sendUnaryData<object>) {
      seen.push(request.text)
      answer(null, request)
    },
    watch() {},
  })
  t.after(() => rpc.forceShutdown())
  const { injectConnection } = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure())
  const server = tls.createServer(engine.serverOptions({ ALPNProtocols: ['h2'] }), injectConnection)
  engine.attach(server)
  const address = `localhost:${await listen(t, server)}`
  const call = async (leaf: Leaf) => {
    const { certPem, keyPem } = leaf
    const [ca, key, cert] = [servers.certPem, keyPem, certPem].map((text) => Buffer.from(text))
    const client = greeter(address, grpc.credentials.createSsl(ca, key, cert))
    t.after(() => client.close())
    return await client.greet(idOf('greets'))
  }
  await assert.rejects(call(intern), { code: grpc.status.UNAVAILABLE })
  assert.deepEqual(seen, [])
  assert.equal(await call(web), idOf('greets'))
  assert.equal(seen.length, 1)
})

async function site(
  t: TestContext,
  allow: readonly PeerRule[] = WEB,
  options: Partial<ReloadEngineOptions> = {},
) {
  const dir = tempDir(t)
  const [ca, file] = [join(dir, 'ca.pem'), join(dir, 'peers.json')]
  overwriteInPlace(ca, clients.certPem)
  overwriteInPlace(file, JSON.stringify({ allow }))
  const pair = writePair(dir, servers.issue())
  const engine = await startEngine(t, { ...pair, ca, requestCert: true, peers: { file }, ...options })
  const server = createGreeter(engine.serverOptions())
  const port = await listen(t, server)
  return {
    ...{ engine, server, port },
    async allow(rules: readonly PeerRule[]) {
      overwriteInPlace(file, JSON.stringify({ allow: rules }))
      assertApplied(await engine.reload())
    },
  }
}

/** Sends a request together with the end of the handshake, and waits for the end of the connection or for an answer. */
async function speak(port: number, version: (typeof VERSIONS)[number], leaf: Leaf, protocol: string) {
  const socket = tls.connect({
    ...{ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: [protocol] },
    ...{ minVersion: version, maxVersion: version, ...identityOf(leaf) },
  })
  socket.on('error', () => {})
  if (protocol === 'h2') {
    const session = http2.connect('https://localhost', { createConnection: () => socket })
    session.on('error', () => {})
    const stream = session.request({ ':path': '/first' })
    stream.on('error', () => {}).resume()
    await closed(stream)
    session.destroy()
  } else {
    const requests = ['/first', '/second'].map((path) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    socket.write(requests.join(''))
    const ended = closed(socket)
    socket.once('data', () => socket.destroy())
    // The plain server never answers.
    socket.once('secureConnect', () => socket.end())
    socket.resume()
    await ended
  }
  socket.destroy()
}

/** Also after an error. */
function closed(stream: EventEmitter): Promise<void> {
  return new Promise((resolve) => void stream.once('close', () => resolve()))
}

function idOf(name: string): string {
  return `spiffe://example.org/${name}`
}

function issue(name: string): Leaf {
  return clients.issue({ names: [], uris: [idOf(name)], extendedKeyUsage: 'client' })
}

function identityOf({ chainPem, keyPem }: Leaf): { cert: string; key: string } {
  return { cert: chainPem, key: keyPem }
}
