/*
 * Whatever the engine is doing when it is closed, it leaves nothing behind: no thread, no timer, no listener on a server, no
 * pending promise; and the servers continue with their current certificate.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { startEngine } from '../../../src/main/engine/engine.js'
import type { Outcome, ReloadEngine, ReloadEngineOptions, ReloadError } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, servedBy } from '../../../support/engine/engines.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf, manyAuthorities } from '../../../support/material/certificates.js'
import { runModule } from '../../../support/processes/run-module.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'
import { misbehaveIn, misbehaving, standIn } from '../../../support/worker/stand-in.js'
import { type ThreadWatch, watchThreads } from '../../../support/worker/thread-watch.js'

const authority = createAuthority().issueAuthority()

test('an engine that is closed between reloads leaves nothing behind', async (t) => {
  const serving = await servingEngine(t)
  writePair(serving.dir, authority.issue())
  assertApplied(await serving.engine.reload())
  await serving.engine.close()
  await assertNothingLeft(serving)
})

test('an engine that is closed before its first reload leaves nothing behind', async (t) => {
  const serving = await servingEngine(t)
  await serving.engine.close()
  await assertNothingLeft(serving)
  assert.equal(await servedBy(serving.port), serving.served.fingerprint256)
})

test('closing twice has the effect of closing once', async (t) => {
  const serving = await servingEngine(t)
  await Promise.all([serving.engine.close(), serving.engine.close()])
  await serving.engine.close()
  await assertNothingLeft(serving)
})

for (const name of ['spins', 'never-settles'] as const) {
  test(`closing does not wait for a worker that hangs (${name}) while it prepares`, async (t) => {
    const serving = await servingEngine(t)
    const { engine, paths, served, port } = serving
    misbehaveIn('prepare', paths.cert, name)
    const reload = endOf(engine.reload())
    await misbehaving(paths.cert)
    await engine.close()
    assert.equal(await reload, 'CLOSED')
    await assertNothingLeft(serving)
    assert.equal(await servedBy(port), served.fingerprint256)
  })
}

test('closing while 300 trust anchors are being loaded discards them', async (t) => {
  const serving = await servingEngine(t)
  const { engine, dir, ca, served, port } = serving
  writePair(dir, authority.issue())
  overwriteInPlace(
    ca,
    manyAuthorities(300)
      .map(({ certPem }) => certPem)
      .join(''),
  )
  let closing: Promise<void> | undefined
  onFirstAuthority(t, () => {
    closing = engine.close()
  })
  assert.equal(await endOf(engine.reload()), 'CLOSED')
  await closing
  await assertNothingLeft(serving)
  assert.equal(await servedBy(port), served.fingerprint256)
})

test('closing while the new certificate is being verified keeps it', async (t) => {
  const serving = await servingEngine(t)
  const { engine, dir, server, port } = serving
  const next = authority.issue()
  writePair(dir, next)
  let closing: Promise<void> | undefined
  // The only clients are the engine's own: one connects before the commit, one after it.
  const closeOnSecondLook = () => {
    if (engine.status().generation.number === 2) closing ??= engine.close()
  }
  server.on('connection', closeOnSecondLook)
  const end = await endOf(engine.reload())
  server.off('connection', closeOnSecondLook)
  assert.ok(closing, 'the engine did not verify after the commit')
  await closing
  assert.ok(end === 'applied' || end === 'CLOSED', end)
  await assertNothingLeft(serving)
  assert.equal(await servedBy(port), next.fingerprint256)
})

test('every one of ten queued reloads ends when the engine is closed', async (t) => {
  const serving = await servingEngine(t)
  const { engine, dir, paths } = serving
  writePair(dir, authority.issue())
  misbehaveIn('prepare', paths.cert, 'never-settles')
  const kinds = [{}, { force: true }, { dryRun: true }, { force: true, dryRun: true }]
  const reloads = Array.from({ length: 10 }, (_, i) => endOf(engine.reload(kinds[i % kinds.length])))
  const updates = [endOf(engine.update({ requestCert: true })), endOf(engine.update({ requestCert: false }))]
  await misbehaving(paths.cert)
  await engine.close()
  assert.deepEqual(new Set(await Promise.all([...reloads, ...updates])), new Set(['CLOSED']))
  await assertNothingLeft(serving)
})

test('a timer that is due when the engine is closed starts nothing', async (t) => {
  const serving = await servingEngine(t, { autoReloadInterval: 1 })
  const { engine, clock, threads } = serving
  assert.ok(clock.pending > 0)
  await engine.close()
  await assertNothingLeft(serving)
  const { started } = threads
  await clock.advance(60_000)
  assert.equal(threads.started, started)
})

test('an engine that is closed while its timer checks the files leaves nothing behind', async (t) => {
  const serving = await servingEngine(t, { autoReloadInterval: 1 })
  const { engine, clock, paths } = serving
  misbehaveIn('prepare', paths.cert, 'spins')
  await clock.advance(1000)
  await misbehaving(paths.cert)
  await engine.close()
  await assertNothingLeft(serving)
})

test('a closed engine refuses every operation that needs it open', async (t) => {
  const { engine } = await servingEngine(t)
  await engine.close()
  for (const act of [
    () => engine.reload(),
    async () => engine.serverOptions(),
    async () => engine.attach(createEcho({})),
    async () => engine.agent(),
    async () => engine.secureContext(),
    () => engine.rollback(),
  ]) {
    await assert.rejects(act(), { code: 'CLOSED' })
  }
})

test('a server that was closed before its engine keeps no listener of it', async (t) => {
  const paths = writePair(tempDir(t), createAuthority().issue())
  const engine = await startEngine({ ...paths, logger: recordingLogger() })
  const server = tls.createServer(engine.serverOptions())
  const before = listenersOf(server)
  engine.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const closed = once(server, 'close')
  server.close()
  await closed
  await engine.close()
  assert.deepEqual(listenersOf(server), before)
})

test('a first load that fails leaves no thread', async (t) => {
  const threads = watchThreads(t)
  const paths = writePair(tempDir(t), { ...authority.issue(), keyPem: authority.issue().keyPem })
  const clock = fakeClock()
  const start = startEngine({ ...paths, logger: recordingLogger() }, { clock })
  await assert.rejects(start, { code: 'CERT_KEY_MISMATCH' })
  assert.ok(threads.started > 0)
  await eventually('its thread has ended', () => threads.alive === 0)
  assert.equal(clock.pending, 0)
})

test('a process that closes its engine and its server during a reload exits by itself', async (t) => {
  const script = `
    import https from 'node:https'
    import { once } from 'node:events'
    import { writeFileSync } from 'node:fs'
    const { CERT: cert, KEY: key, NEXT_CERT, NEXT_KEY } = process.env
    const engine = await api.createReloadEngine({ cert, key, autoReloadInterval: 0.1 })
    const server = https.createServer(engine.serverOptions())
    engine.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    writeFileSync(key, NEXT_KEY)
    writeFileSync(cert, NEXT_CERT)
    const reload = engine.reload().then(({ outcome }) => outcome, ({ code }) => code)
    await engine.close()
    console.log('closed', await reload)
    server.close()`
  const { cert, key } = writePair(tempDir(t), authority.issue())
  const next = authority.issue()
  const env = { CERT: cert, KEY: key, NEXT_CERT: next.chainPem, NEXT_KEY: next.keyPem }
  const { code, stdout } = await runModule(t, script, env)
  assert.match(stdout, /^closed CLOSED$/m)
  assert.equal(code, 0)
})

interface Serving {
  readonly engine: ReloadEngine
  readonly clock: FakeClock
  readonly threads: ThreadWatch
  readonly server: tls.Server
  readonly port: number
  readonly dir: string
  readonly paths: PairFiles
  readonly ca: string
  readonly served: Leaf
  /** Of the server, before it was attached. */
  readonly listenersBefore: ListenerCounts
}

async function servingEngine(t: TestContext, options: Partial<ReloadEngineOptions> = {}): Promise<Serving> {
  const threads = watchThreads(t)
  const dir = tempDir(t)
  const served = authority.issue()
  const paths = writePair(dir, served)
  const ca = `${dir}/ca.pem`
  overwriteInPlace(ca, createAuthority().certPem)
  const clock = fakeClock()
  const engine = await startEngine(
    { ...paths, ca, logger: recordingLogger(), ...options },
    { clock, workerTasks: standIn('misbehaves') },
  )
  t.after(() => engine.close())
  const server = createEcho(engine.serverOptions())
  const port = await listen(t, server)
  const listenersBefore = listenersOf(server)
  engine.attach(server)
  assert.notDeepEqual(listenersOf(server), listenersBefore)
  return { engine, clock, threads, server, port, dir, paths, ca, served, listenersBefore }
}

async function assertNothingLeft({
  engine,
  clock,
  threads,
  server,
  listenersBefore,
}: Serving): Promise<void> {
  const { state, nextCheckInMs, servers } = engine.status()
  assert.deepEqual({ state, nextCheckInMs, servers }, { state: 'closed', nextCheckInMs: null, servers: 0 })
  assert.equal(clock.pending, 0)
  assert.deepEqual(listenersOf(server), listenersBefore)
  assert.ok(threads.started > 0)
  await eventually('every thread has ended', () => threads.alive === 0)
}

type ListenerCounts = Readonly<Record<string, number>>

function listenersOf(server: tls.Server): ListenerCounts {
  const names = server.eventNames().map(String).sort()
  return Object.fromEntries(names.map((name) => [name, server.listenerCount(name)]))
}

/** The end of a reload: its outcome, or the code of its failure. */
function endOf(reload: Promise<{ outcome: Outcome }>): Promise<string> {
  return reload.then(
    ({ outcome }) => outcome,
    ({ code }: ReloadError) => code,
  )
}

/** Runs `act` in the turn after the first trust anchor was loaded into a context. */
function onFirstAuthority(t: TestContext, act: () => void): void {
  const handle = Object.getPrototypeOf(tls.createSecureContext({ ca: [] }).context)
  const { addCACert } = handle
  const restore = () => {
    handle.addCACert = addCACert
  }
  handle.addCACert = function (...args: unknown[]): unknown {
    restore()
    setImmediate(act)
    return addCACert.apply(this, args)
  }
  t.after(restore)
}
