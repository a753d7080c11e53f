import assert from 'node:assert/strict'
import { once } from 'node:events'
import { renameSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngine, ReloadEngineOptions, ReloadResult } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { assertApplied, servedBy, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority().issueAuthority()
const NAMES = ['a.example', 'b.example', '*.c.example']
const own = authority.issue({ names: ['own.example'] })
const ownIdentity = { cert: own.chainPem, key: own.keyPem }

test('a renewal is kept where addContext gave the server certificates of its own, and the name is reported', async (t) => {
  for (const name of ['a.example', 'b.example', 'a*.example', 'x.c.example']) {
    const { engine, server, renew, port } = await serving(t)
    server.addContext(name, ownIdentity)
    const leaf = renew()
    const { warnings } = assertAppliedWith(await engine.reload(), ['SERVED_OTHER'], name)
    const asked = name.replace('*', '')
    assert.match(
      String(warnings[0]?.message),
      new RegExp(`with the server name ${asked} serves CN=own.example .*addContext`),
    )
    assert.equal(await servedBy(port, { servername: '' }), leaf.fingerprint256)
  }
  // A name that the engine does not serve takes nothing from it.
  const { engine, server, renew } = await serving(t)
  server.addContext('own.example', ownIdentity)
  renew()
  assertAppliedWith(await engine.reload(), [])
})

test('a certificate that addContext adds after a normal reload does not undo the next one', async (t) => {
  const { engine, server, renew } = await serving(t)
  renew()
  assertAppliedWith(await engine.reload(), [])
  server.addContext('a.example', ownIdentity)
  renew()
  assertAppliedWith(await engine.reload(), ['SERVED_OTHER'])
})

test('a renewal is kept where an SNICallback of the application answers all names, or some, or refuses', async (t) => {
  const context = tls.createSecureContext(ownIdentity)
  const answers: Record<string, [NonNullable<tls.TlsOptions['SNICallback']>, string[]]> = {
    all: [(_, done) => done(null, context), ['SERVED_OTHER', 'SERVED_OTHER']],
    some: [(name, done) => (name === 'b.example' ? done(null, context) : done(null)), ['SERVED_OTHER']],
    none: [(_, done) => done(null), []],
    refuses: [(_, done) => done(new Error('no such name')), ['SERVED_UNVERIFIED', 'SERVED_UNVERIFIED']],
  }
  for (const [what, [SNICallback, codes]] of Object.entries(answers)) {
    const { engine, renew } = await serving(t, { SNICallback })
    renew()
    assertAppliedWith(await engine.reload(), codes, what)
  }
})

test('a renewal is kept where the next process has replaced the path of the Unix socket', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'tls.sock')
  const { engine, renew } = await engineIn(t)
  await serveOn(t, engine, path)
  renew()
  assertAppliedWith(await engine.reload(), [])
  const next = createEcho(ownIdentity)
  await listenOn(t, next, join(dir, 'next.sock'))
  renameSync(join(dir, 'next.sock'), path)
  renew()
  const { warnings } = assertAppliedWith(await engine.reload(), ['SERVED_OTHER'])
  assert.match(String(warnings[0]?.message), /tls\.sock serves CN=own\.example .* another process answers/)
})

test('a renewal is kept where another server has taken over the port', async (t) => {
  const { engine, renew, port, server } = await serving(t)
  renew()
  assertAppliedWith(await engine.reload(), [])
  // Another socket on the same port: with SO_REUSEPORT the kernel picks one of them. Here it always picks the other one.
  const stranger = createEcho(ownIdentity)
  const strangerPort = await listen(t, stranger)
  assert.notEqual(strangerPort, port)
  server.address = () => stranger.address()
  renew()
  const { warnings } = assertAppliedWith(await engine.reload(), ['SERVED_OTHER'])
  assert.match(String(warnings[0]?.message), /another process answers at this address/)
})

test('a renewal is kept where the server already showed another certificate before the commit', async (t) => {
  const { engine, server, renew } = await serving(t)
  // The application repeatedly replaces the context that the engine assigns.
  server.prependListener('connection', () => server.setSecureContext(ownIdentity))
  for (let i = 0; i < 2; i++) {
    renew()
    assertAppliedWith(await engine.reload(), ['SERVED_OTHER'])
  }
})

test('a server that refused every handshake before the commit does not undo a renewal', async (t) => {
  const { engine, server, renew } = await serving(t)
  server.prependListener('connection', () =>
    server.setSecureContext({ ...ownIdentity, ciphers: NO_CIPHER, maxVersion: 'TLSv1.2' }),
  )
  renew()
  const { warnings } = assertAppliedWith(await engine.reload(), ['SERVED_UNVERIFIED'])
  assert.match(String(warnings[0]?.message), /refused the handshake \(TLS alert 40/)
})

test('a server that completed handshakes before the commit and refuses them after it undoes the commit', async (t) => {
  const { engine, server, renew, port, first } = await serving(t)
  server.prependListener('connection', () => {
    if (engine.status().generation.number > 1)
      server.setSecureContext({ ...ownIdentity, ciphers: NO_CIPHER, maxVersion: 'TLSv1.2' })
  })
  renew()
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems.map(({ code }) => code)], ['rejected', ['SERVED_MISMATCH']])
  assert.match(String(problems[0]?.message), /refused the handshake \(TLS alert 40.*and did not before/)
  assert.equal(await servedBy(port), first.fingerprint256)
})

test('a commit that was undone because of a fault of the application is applied again later', async (t) => {
  const { engine, server, renew } = await serving(t)
  renew()
  assertAppliedWith(await engine.reload(), [])
  server.prependListener('connection', () =>
    server.setSecureContext({ ...ownIdentity, ciphers: NO_CIPHER, maxVersion: 'TLSv1.2' }),
  )
  renew()
  assert.equal((await engine.reload()).outcome, 'rejected')
  assertAppliedWith(await engine.reload(), ['SERVED_UNVERIFIED'])
})

test('VERIFY looks like a normal client to every kind of server: no event reports a misbehaving client', async (t) => {
  const kinds: Record<string, (options: tls.TlsOptions) => tls.Server> = {
    'h2 alone': (options) => http2.createSecureServer(options),
    'h2 and http/1.1': (options) => http2.createSecureServer({ ...options, allowHTTP1: true }),
    https: (options) => https.createServer(options),
    'raw with protocols': (options) => createEcho({ ...options, ALPNProtocols: ['mqtt'] }),
    raw: (options) => createEcho(options),
  }
  for (const [kind, create] of Object.entries(kinds)) {
    const { engine, renew } = await engineIn(t)
    const server = create(engine.serverOptions())
    const faults: string[] = []
    for (const event of ['unknownProtocol', 'tlsClientError', 'clientError', 'sessionError', 'error']) {
      server.on(event, () => faults.push(event))
    }
    server.on('session', (session: http2.ServerHttp2Session) =>
      session.on('error', () => faults.push('session')),
    )
    engine.attach(server)
    let open = 0
    server.on('connection', (socket) => {
      open++
      socket.once('close', () => open--)
    })
    await listen(t, server)
    renew()
    assertAppliedWith(await engine.reload(), [], kind)
    await eventually('the connection of VERIFY has closed', () => open === 0)
    assert.deepEqual(faults, [], kind)
  }
})

const NO_CIPHER = 'ECDHE-RSA-AES128-GCM-SHA256'

interface Site {
  readonly engine: ReloadEngine
  readonly first: Leaf
  /** Writes another pair and returns it. */
  renew(): Leaf
}

async function engineIn(t: TestContext, options: ReloadEngineOptions = {}): Promise<Site> {
  const dir = tempDir(t)
  const renew = () => {
    const leaf = authority.issue({ names: NAMES })
    writePair(dir, leaf)
    return leaf
  }
  const first = authority.issue({ names: NAMES })
  const engine = await startEngine(t, { ...writePair(dir, first), ...options })
  return { engine, first, renew }
}

async function serving(
  t: TestContext,
  extra: tls.TlsOptions = {},
): Promise<Site & { readonly server: tls.Server; readonly port: number }> {
  const site = await engineIn(t)
  const server = createEcho({ ...site.engine.serverOptions(), ...extra })
  site.engine.attach(server)
  return { ...site, server, port: await listen(t, server) }
}

async function serveOn(t: TestContext, engine: ReloadEngine, path: string): Promise<void> {
  const server = createEcho(engine.serverOptions())
  engine.attach(server)
  await listenOn(t, server, path)
}

async function listenOn(t: TestContext, server: Server, path: string): Promise<void> {
  t.after(() => server.close())
  server.listen(path)
  await once(server, 'listening')
}

function assertAppliedWith(result: ReloadResult, codes: readonly string[], what = ''): ReloadResult {
  assertApplied(result)
  // It is also reported that the application replaced a context: test/integration/servers/overridden-servers.test.ts.
  const seen = result.warnings.map(({ code }) => code).filter((code) => code !== 'SERVER_OVERRIDDEN')
  assert.deepEqual(seen, codes, `${what}: ${JSON.stringify(result.warnings)}`)
  return result
}
