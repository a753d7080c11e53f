import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import tls from 'node:tls'

import type { ReloadEngineOptions } from '../../../src/main/api/options.js'
import { ReloadError } from '../../../src/main/base/errors.js'
import { resolveOptions } from '../../../src/main/engine/resolve-options.js'
import { currentContext } from '../../../src/main/generation/native-context.js'
import type { PassMode } from '../../../src/main/reload/pass.js'
import type { PassReport } from '../../../src/main/reload/pass-report.js'
import { Reloader } from '../../../src/main/reload/reloader.js'
import type { PreparedReply } from '../../../src/workers/protocol/prepare.js'
import type { ListenerCheck } from '../../../src/workers/protocol/verify.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { assertFrozen } from '../../../support/base/frozen.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf, manyAuthorities } from '../../../support/material/certificates.js'
import { listen } from '../../../support/servers/echo-server.js'
import { preparedHere } from '../../../support/worker/tasks-here.js'
import { type WorkerByHand, workerByHand } from './worker-by-hand.js'

const authority = createAuthority().issueAuthority()
const RELOAD: PassMode = { trigger: 'api', force: false, dryRun: false }

test('a pass whose files are prepared becomes the next generation, on every server at once', async (t) => {
  const { reloader, worker, renew } = await serving(t)
  const servers = [attach(t, reloader), attach(t, reloader)]
  const leaf = renew()
  const pass = reloader.pass(RELOAD)
  await worker.prepareNext()
  const { result } = await pass
  assert.deepEqual([result.outcome, result.generation], ['applied', 2])
  assert.equal(result.serving.fingerprint256, leaf.fingerprint256)
  assert.equal(currentContext(servers[0] as tls.Server), currentContext(servers[1] as tls.Server))
})

test('until its last step a pass changes nothing that is served', async (t) => {
  const { reloader, worker, renew, first } = await serving(t)
  const server = attach(t, reloader)
  const before = currentContext(server)
  renew()
  const pass = reloader.pass(RELOAD)
  assert.equal(reloader.served.generation.number, 1)
  await worker.prepareNext()
  assert.equal(currentContext(server), before)
  assert.equal(reloader.served.generation.certificates[0]?.fingerprint256, first.fingerprint256)
  await pass
  assert.notEqual(currentContext(server), before)
})

test('a result that is older than a later commit is dropped as SUPERSEDED, and its keys are wiped', async (t) => {
  const { reloader, worker, renew } = await serving(t)
  renew()
  const slow = reloader.pass(RELOAD)
  const stale = worker.takePrepare()
  const late = await preparedHere(stale.task)
  const newest = renew()
  const quick = reloader.pass(RELOAD)
  await worker.prepareNext()
  assert.equal((await quick).result.outcome, 'applied')
  stale.answer(late)
  assertSuperseded(await slow)
  assertWiped(late)
  assert.equal(reloader.served.generation.certificates[0]?.fingerprint256, newest.fingerprint256)
})

test('a result is dropped if another generation is committed while its context is built', async (t) => {
  const { reloader, worker, options, dir, renew } = await serving(t)
  attach(t, reloader)
  const ca = join(dir, 'ca.pem')
  writeFileSync(
    ca,
    manyAuthorities(300)
      .map(({ certPem }) => certPem)
      .join(''),
  )
  const withTrust = reloader.pass({ ...RELOAD, options: resolveOptions({ ...options, ca }) })
  const large = worker.takePrepare()
  const manyAnchors = await preparedHere(large.task)
  renew()
  const leafOnly = reloader.pass(RELOAD)
  large.answer(manyAnchors)
  await worker.prepareNext()
  const outcomes = await Promise.all([withTrust, leafOnly])
  // Whichever was committed first, the other one did not know about it.
  assert.deepEqual(outcomes.map(({ result }) => result.outcome).sort(), ['applied', 'rejected'])
  assertSuperseded(outcomes.find(({ result }) => result.outcome === 'rejected') as PassReport)
})

test('an answer from before a rollback neither replaces the restored generation nor is mistaken for it', async (t) => {
  for (const answers of ['prepared', 'unchanged'] as const) {
    const { reloader, worker, renew, first } = await serving(t)
    renew()
    await Promise.all([reloader.pass(RELOAD), worker.prepareNext()])
    const pass = reloader.pass(RELOAD)
    const pending = worker.takePrepare()
    if (answers === 'prepared') renew()
    const { record } = reloader.served
    assert.equal((await reloader.rollback({})).result.outcome, 'applied')
    const rolledBack = reloader.served.record
    if (answers === 'unchanged') pending.answer({ kind: 'unchanged', record: { ...record } })
    else pending.answer(await preparedHere(pending.task))
    const { result } = await pass
    assert.equal(result.outcome, answers === 'prepared' ? 'rejected' : 'unchanged')
    assert.equal(reloader.served.generation.certificates[0]?.fingerprint256, first.fingerprint256)
    assert.equal(reloader.served.record, rolledBack)
  }
})

test('a rollback during whose staging another generation is committed replaces that generation, and keeps it in the history', async (t) => {
  const { reloader, worker, renew } = await servingAfterManyAuthorities(t)
  renew()
  const pass = reloader.pass(RELOAD)
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  // Many anchors take many slices, so the leaf of the pass is committed first.
  const rollback = reloader.rollback({ generation: 2, trust: true })
  pending.answer(reply)
  const [passed, back] = await Promise.all([pass, rollback])
  assert.deepEqual([passed.result.outcome, back.result.outcome], ['applied', 'applied'])
  assert.equal(reloader.served.generation.restored, 2)
  const kept = reloader.history.snapshots.map(({ generation }) => generation.number)
  assert.equal(new Set(kept).size, kept.length, `kept ${kept}`)
  assert.equal(kept[0], passed.result.generation)
})

test('a pass that begins while a rollback is being staged is not mixed with the restored generation', async (t) => {
  const { reloader, worker, renew } = await servingAfterManyAuthorities(t)
  const rollback = reloader.rollback({ generation: 2 })
  renew()
  const pass = reloader.pass(RELOAD)
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  // Not sent again, because it was served when the pass began: no trust at all.
  assert.equal(reply.material.trust, 'served')
  assert.equal((await rollback).result.outcome, 'applied')
  pending.answer(reply)
  assertSuperseded(await pass)
  assert.equal(reloader.served.generation.restored, 2)
})

test('an unchanged answer with a new record replaces only the record', async (t) => {
  const { reloader, worker } = await serving(t)
  const { generation, record } = reloader.served
  const pass = reloader.pass(RELOAD)
  const moved = { ...record }
  worker.takePrepare().answer({ kind: 'unchanged', record: moved })
  assert.equal((await pass).result.outcome, 'unchanged')
  assert.equal(reloader.served.record, moved)
  assert.equal(reloader.served.generation, generation)
})

test('a dry run is validated, changes nothing and keeps no key', async (t) => {
  const { reloader, worker, renew, first } = await serving(t)
  renew()
  const pass = reloader.pass({ ...RELOAD, dryRun: true })
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  pending.answer(reply)
  const { result } = await pass
  assert.deepEqual([result.outcome, result.generation], ['validated', 1])
  assert.equal(result.serving.fingerprint256, first.fingerprint256)
  assertWiped(reply)
})

test('material that OpenSSL refuses in this thread is CONTEXT_REFUSED, and nothing has changed', async (t) => {
  const { reloader, worker, renew } = await serving(t)
  attach(t, reloader)
  renew()
  const pass = reloader.pass(RELOAD)
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  reply.material.pairs[0]?.chain.fill(0x41)
  pending.answer(reply)
  const { result, failureDigest } = await pass
  assert.deepEqual([result.outcome, result.problems[0]?.code], ['rejected', 'CONTEXT_REFUSED'])
  assert.equal(failureDigest, 'CONTEXT_REFUSED')
  assert.equal(reloader.served.generation.number, 1)
  assertWiped(reply)
})

test('a first load that OpenSSL refuses in this thread is reported by its code', async (t) => {
  const worker = workerByHand()
  const options = resolveOptions(writePair(tempDir(t), authority.issue()))
  const reloader = new Reloader(options, worker, fakeClock())
  const load = reloader.loadFirst(options)
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  reply.material.pairs[0]?.chain.fill(0x41)
  pending.answer(reply)
  await assert.rejects(load, { name: 'ReloadError', code: 'CONTEXT_REFUSED' })
})

test('a first load is refused with the first problem, and the number of further ones', async (t) => {
  const worker = workerByHand()
  const options = resolveOptions(writePair(tempDir(t), authority.issue()))
  const reloader = new Reloader(options, worker, fakeClock())
  const problems = [
    { code: 'CERT_MISSING', message: 'no certificate', path: 'tls.crt' },
    { code: 'KEY_MISSING', message: 'no key' },
  ] as const
  const load = reloader.loadFirst(options)
  worker.takePrepare().answer({ kind: 'refused', problems, warnings: [], changed: [], failureDigest: '' })
  await assert.rejects(load, { code: 'CERT_MISSING', path: 'tls.crt', problems, message: /1 more/ })
  const silent = reloader.loadFirst(options)
  worker.takePrepare().answer({ kind: 'unchanged', record: null })
  await assert.rejects(silent, { code: 'WORKER_CRASHED' })
})

test('a worker that fails costs the pass, and nothing else', async (t) => {
  const { reloader, worker } = await serving(t)
  for (const code of ['WORKER_CRASHED', 'WORKER_TIMEOUT'] as const) {
    const pass = reloader.pass(RELOAD)
    worker.takePrepare().fail(new ReloadError(code, 'mine'))
    const { result } = await pass
    assert.deepEqual([result.outcome, result.problems[0]?.code, result.generation], ['rejected', code, 1])
  }
})

test('after the close every pass ends with CLOSED, and every key is wiped', async (t) => {
  const { reloader, worker, renew } = await serving(t)
  attach(t, reloader)
  renew()
  await Promise.all([reloader.pass(RELOAD), worker.prepareNext()])
  const kept = [reloader.served, ...reloader.history.snapshots]
  renew()
  const pass = reloader.pass(RELOAD)
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  reloader.close()
  pending.answer(reply)
  await assert.rejects(pass, { code: 'CLOSED' })
  assertWiped(reply)
  for (const { material } of kept) assertWiped({ material })
  assert.equal(reloader.serving.servers.size, 0)
})

test('a listener that serves another certificate after the swap makes the commit undone', async (t) => {
  const { reloader, worker, renew, first } = await serving(t, { verifyServed: true })
  const server = attach(t, reloader)
  const port = await listen(t, server)
  const before = currentContext(server)
  renew()
  const pass = reloader.pass(RELOAD)
  const pending = worker.takePrepare()
  const reply = await preparedHere(pending.task)
  pending.answer(reply)
  await until(() => worker.verifying)
  assert.equal(reloader.served.generation.number, 1)
  worker.takeVerify().answer([await lookFrom(t, server, port, first.fingerprint256)])
  await until(() => worker.verifying)
  assert.equal(reloader.served.generation.number, 2)
  assert.notEqual(currentContext(server), before)
  worker.takeVerify().answer([await lookFrom(t, server, port, 'AB:CD')])
  const { result } = await pass
  assert.deepEqual([result.outcome, result.problems[0]?.code], ['rejected', 'SERVED_MISMATCH'])
  assert.equal(result.serving.fingerprint256, first.fingerprint256)
  assert.equal(currentContext(server), before)
  assertWiped(reply)
})

test('a listener that could not be verified is a warning', async (t) => {
  const { reloader, worker, renew } = await serving(t, { verifyServed: true })
  await listen(t, attach(t, reloader))
  for (const look of ['unreachable', 'crash'] as const) {
    renew()
    const pass = reloader.pass(RELOAD)
    await worker.prepareNext()
    if (look === 'unreachable') {
      await until(() => worker.verifying)
      worker.takeVerify().answer([UNREACHABLE])
    }
    await until(() => worker.verifying)
    const verify = worker.takeVerify()
    if (look === 'crash') verify.fail(new ReloadError('WORKER_CRASHED', 'mine'))
    else verify.answer([UNREACHABLE])
    const { result } = await pass
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['SERVED_UNVERIFIED'],
    )
  }
})

test('a rollback to a generation that is not kept is refused by its number', async (t) => {
  const { reloader } = await serving(t)
  await assert.rejects(reloader.rollback({}), { code: 'GENERATION_UNKNOWN' })
  await assert.rejects(reloader.rollback({ generation: 7 }), { code: 'GENERATION_UNKNOWN', message: /7/ })
})

test('the reports of a pass and of a generation are deeply frozen', async (t) => {
  const { reloader, worker, renew } = await serving(t)
  renew()
  const [{ result }] = await Promise.all([reloader.pass(RELOAD), worker.prepareNext()])
  assertFrozen(result, 'result')
  assertFrozen(reloader.served.generation, 'generation')
})

const UNREACHABLE: ListenerCheck = {
  outcome: 'unreachable',
  certificate: null,
  detail: 'ECONNREFUSED',
  localPort: null,
}

/** The view of a client that the server did accept. */
async function lookFrom(
  t: TestContext,
  server: tls.Server,
  port: number,
  fingerprint256: string,
): Promise<ListenerCheck> {
  const accepted = once(server, 'connection')
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  await Promise.all([accepted, once(socket, 'connect')])
  const certificate = { fingerprint256, subject: 'CN=seen' }
  return { outcome: 'shown', certificate, detail: '', localPort: socket.localPort ?? null }
}

interface Serving {
  readonly reloader: Reloader
  readonly worker: WorkerByHand
  readonly clock: FakeClock
  readonly options: ReloadEngineOptions
  readonly dir: string
  readonly first: Leaf
  /** Writes another pair and returns it. */
  renew(): Leaf
}

async function serving(t: TestContext, more: ReloadEngineOptions = {}): Promise<Serving> {
  const dir = tempDir(t)
  const first = authority.issue()
  const options = { ...writePair(dir, first), verifyServed: false, ...more }
  const [worker, clock] = [workerByHand(), fakeClock()]
  const resolved = resolveOptions(options)
  const reloader = new Reloader(resolved, worker, clock)
  t.after(() => reloader.close())
  await Promise.all([reloader.loadFirst(resolved), worker.prepareNext()])
  const renew = () => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { reloader, worker, clock, options, dir, first, renew }
}

/** Generation 2 has trust anchors that take a while to stage; generation 3 serves, and has none. */
async function servingAfterManyAuthorities(t: TestContext): Promise<Serving> {
  const serves = await serving(t)
  const { reloader, worker, options, dir } = serves
  attach(t, reloader)
  const ca = join(dir, 'ca.pem')
  writeFileSync(
    ca,
    manyAuthorities(300)
      .map(({ certPem }) => certPem)
      .join(''),
  )
  for (const changed of [{ ...options, ca }, options]) {
    const mode = { ...RELOAD, options: resolveOptions(changed) }
    await Promise.all([reloader.pass(mode), worker.prepareNext()])
  }
  return serves
}

function attach(t: TestContext, reloader: Reloader): tls.Server {
  const server = tls.createServer(reloader.serving.serverOptions({}))
  t.after(() => server.close())
  reloader.serving.attach(server, assert.ifError)
  return server
}

function assertSuperseded({ result }: PassReport): void {
  assert.deepEqual([result.outcome, result.problems[0]?.code], ['rejected', 'SUPERSEDED'])
}

function assertWiped({ material }: { readonly material: Pick<PreparedReply['material'], 'pairs'> }): void {
  for (const { key } of material.pairs)
    assert.ok(
      key.every((byte) => byte === 0),
      'a key is left',
    )
}

/** Turns the event loop until the condition holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    assert.ok(turns < 10_000, 'the awaited result did not arrive')
    await turn()
  }
}
