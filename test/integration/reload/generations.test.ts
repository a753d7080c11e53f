/*
 * Guards against a stale background result that overrides a newer setting (valkey#3549), and against a change that is applied
 * in part.
 */
import assert from 'node:assert/strict'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { handshake } from '../../../support/clients/tls-client.js'
import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()

test('an earlier generation can be served again, and the timer ignores its files until they change', async (t) => {
  const { engine, port, rotate, first } = await serving(t)
  const second = rotate()
  assertApplied(await engine.reload())
  const back = await engine.rollback()
  assert.deepEqual([back.outcome, back.trigger, back.generation], ['applied', 'rollback', 3])
  assert.equal(await servedBy(port), first.fingerprint256)
  assert.equal(engine.status().generation.restored, 1)

  engine.autoReloadInterval = 0.02
  const look = await nextEvent(engine, 'checked')
  assert.equal(look.outcome, 'unchanged')
  assert.equal(await servedBy(port), first.fingerprint256)
  const applied = nextEvent(engine, 'applied')
  const third = rotate()
  await applied
  assert.equal(await servedBy(port), third.fingerprint256)
  assert.notEqual(second.fingerprint256, third.fingerprint256)
})

test('a requested reload after a rollback loads the files on disk', async (t) => {
  const { engine, port, rotate } = await serving(t)
  const second = rotate()
  assertApplied(await engine.reload())
  await engine.rollback()
  assertApplied(await engine.reload())
  assert.equal(await servedBy(port), second.fingerprint256)
})

test('the history is limited, the newest first, and a generation that is not kept is refused by its number', async (t) => {
  const { engine, rotate } = await serving(t, { historySize: 2 })
  for (let i = 0; i < 4; i++) {
    rotate()
    assertApplied(await engine.reload())
  }
  assert.deepEqual(
    engine.history().map(({ number }) => number),
    [5, 4, 3],
  )
  await assert.rejects(engine.rollback(1), { code: 'GENERATION_UNKNOWN' })
  assert.equal((await engine.rollback(3)).outcome, 'applied')
})

test('other paths and TLS options can be applied together at run time', async (t) => {
  const { engine, port, dir } = await serving(t)
  const moved = authority.issue()
  const paths = writePair(dir, moved, { cert: 'new.crt', key: 'new.key' })
  const { outcome, trigger } = await engine.update({ ...paths, tls: { minVersion: 'TLSv1.3' } })
  assert.deepEqual([outcome, trigger], ['applied', 'update'])
  assert.equal(await servedBy(port), moved.fingerprint256)
  await assert.rejects(handshake({ port, maxVersion: 'TLSv1.2' }))
  assert.equal((await engine.reload()).outcome, 'unchanged')
})

test('a refused change leaves the old paths, the old options and the old certificate in force', async (t) => {
  const { engine, port, dir, first, rotate } = await serving(t)
  const changes = {
    cert: join(dir, 'nowhere.crt'),
    tls: { minVersion: 'TLSv1.3' },
    autoReloadInterval: 9,
  } as const
  const refused = await engine.update(changes)
  assert.equal(refused.outcome, 'rejected')
  assert.deepEqual(
    refused.problems.map(({ code }) => code),
    ['FILE_NOT_FOUND'],
  )
  assert.equal(engine.autoReloadInterval, 0)
  assert.equal(engine.status().state, 'serving', 'a refused change is no outage')
  assert.equal((await handshake({ port, maxVersion: 'TLSv1.2' })).fingerprint256, first.fingerprint256)
  const second = rotate()
  assertApplied(await engine.reload())
  assert.equal(await servedBy(port), second.fingerprint256, 'the old paths are still the ones that are read')
})

test('the interval can be changed while the files are broken, and loads nothing', async (t) => {
  const { engine, dir } = await serving(t)
  overwriteInPlace(join(dir, 'tls.crt'), 'nonsense')
  const passes = engine.status().passes
  assert.equal((await engine.update({ autoReloadInterval: 3600 })).outcome, 'unchanged')
  assert.equal(engine.autoReloadInterval, 3600)
  engine.autoReloadInterval = 0
  assert.deepEqual(engine.status().passes, passes)
})

test('client certificates can be required at run time, and earlier sessions are not resumed', async (t) => {
  const { engine, port, dir } = await serving(t)
  const before = await handshake({ port })
  overwriteInPlace(join(dir, 'ca.pem'), authority.certPem)
  assertApplied(await engine.update({ ca: join(dir, 'ca.pem'), requestCert: true }))
  const { certPem: cert, keyPem: key } = authority.issue({ extendedKeyUsage: 'client' })
  await handshake({ port, cert, key, confirm: true })
  await assert.rejects(handshake({ port, confirm: true }))
  await assert.rejects(handshake({ port, confirm: true, session: before.session as Buffer }))
})

test('a listener that shows another certificate after the swap is detected, and the commit is undone', async (t) => {
  const { engine, port, first, rotate, server } = await serving(t)
  const stranger = authority.issue()
  rotate()
  // Other code changes the server's certificate without the engine; here, when the first client connects.
  server.prependListener('connection', () => {
    if (engine.status().generation.number === 2) {
      server.setSecureContext({ cert: stranger.chainPem, key: stranger.keyPem })
    }
  })
  const { outcome, problems, generation } = await engine.reload()
  assert.deepEqual(
    [outcome, problems.map(({ code }) => code), generation],
    ['rejected', ['SERVED_MISMATCH'], 1],
  )
  assert.equal(await servedBy(port), first.fingerprint256)
})

test('without verifyServed the engine never connects to the listeners', async (t) => {
  const { engine, rotate, server } = await serving(t, { verifyServed: false })
  let connections = 0
  server.on('connection', () => connections++)
  rotate()
  assertApplied(await engine.reload())
  assert.equal(connections, 0)
})

test('open connections are counted by the generation that accepted them', async (t) => {
  const { engine, port, rotate, server } = await serving(t, { verifyServed: false })
  const accepted = new Promise<tls.TLSSocket>((resolve) => server.once('secureConnection', resolve))
  const old = await handshake({ port, keepOpen: true })
  const socket = await accepted
  rotate()
  assertApplied(await engine.reload())
  const young = await handshake({ port, keepOpen: true })
  assert.deepEqual(engine.status().connections, { 1: 1, 2: 1 })
  assert.equal(engine.generationOf(socket), 1)
  const gone = new Promise((resolve) => socket.once('close', resolve))
  await old.close()
  await gone
  assert.deepEqual(engine.status().connections, { 2: 1 })
  await young.close()
})

test("two engines with the same ticket secret resume each other's sessions; with different secrets they do not", async (t) => {
  const dir = tempDir(t)
  const files = writePair(dir, authority.issue())
  const secrets = ['one', 'two'].map((name, i) => {
    const path = join(dir, name)
    overwriteInPlace(path, Buffer.alloc(48, i + 1))
    return path
  }) as [string, string]
  const portWith = async (secretFile: string) =>
    serveEcho(t, await startEngine(t, { ...files, tickets: { secretFile } }))
  const ports = await Promise.all([portWith(secrets[0]), portWith(secrets[0]), portWith(secrets[1])])
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { session } = await handshake({ port: ports[0], maxVersion })
    const again = (port: number) =>
      handshake({ port, maxVersion, session: session as Buffer, waitForSession: false })
    assert.equal((await again(ports[1])).reused, true, maxVersion)
    assert.equal((await again(ports[2])).reused, false, maxVersion)
  }
})

test('a ticket secret that is too short is refused', async (t) => {
  const dir = tempDir(t)
  const secretFile = join(dir, 'secret')
  overwriteInPlace(secretFile, 'short')
  const options = { ...writePair(dir, authority.issue()), tickets: { secretFile } }
  await assert.rejects(startEngine(t, options), { code: 'TICKET_SECRET_INVALID', path: secretFile })
})

test('outgoing connections present the new client certificate, and earlier pooled connections are not reused', async (t) => {
  const dir = tempDir(t)
  const first = authority.issue({ extendedKeyUsage: 'both' })
  const paths = writePair(dir, first)
  const ca = join(dir, 'ca.pem')
  overwriteInPlace(ca, authority.certPem)
  const engine = await startEngine(t, { ...paths, ca })
  const seen: (string | undefined)[] = []
  const mine = authority.issue()
  const upstream = https.createServer(
    { cert: mine.chainPem, key: mine.keyPem, ca: authority.certPem, requestCert: true },
    (request, response) => {
      seen.push((request.socket as tls.TLSSocket).getPeerX509Certificate()?.fingerprint256)
      response.end('ok')
    },
  )
  let connections = 0
  upstream.on('secureConnection', () => connections++)
  const port = await listen(t, upstream)
  const agent = engine.agent({ keepAlive: true })
  await get(port, agent)
  await get(port, agent)
  assert.equal(connections, 1, 'the connection is kept for the same generation')

  const second = authority.issue({ extendedKeyUsage: 'both' })
  writePair(dir, second)
  assertApplied(await engine.reload())
  await get(port, agent)
  assert.deepEqual(
    seen,
    [first, first, second].map(({ fingerprint256 }) => fingerprint256),
  )
  assert.equal(connections, 2)

  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    secureContext: engine.secureContext(),
  })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  assert.equal(socket.authorized, true, 'the CAs of the engine are trusted')
  assert.equal(socket.getX509Certificate()?.fingerprint256, second.fingerprint256)
  socket.destroy()
})

async function serving(t: TestContext, more: object = {}) {
  const dir = tempDir(t)
  const first = authority.issue()
  const engine = await startEngine(t, { ...writePair(dir, first), ...more })
  const server = tls.createServer(engine.serverOptions(), (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  engine.attach(server)
  const port = await listen(t, server)
  const rotate = () => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { dir, engine, server, port, rotate, first }
}

function get(port: number, agent: https.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = {
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      agent,
    }
    // The agent's own listener comes first: by then the socket is in its pool.
    agent.once('free', () => resolve())
    https.get(options, (response) => response.resume()).on('error', reject)
  })
}
