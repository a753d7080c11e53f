import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { MessageChannel, Worker } from 'node:worker_threads'

import { joinEngine, shareEngine } from '../../../src/main/fleet/index.js'
import type { ReloadEngine } from '../../../src/main/index.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinOnThread } from '../../../support/fleet/fleet-member.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()

test('threads with listeners of their own serve what the main thread prepares, and so does its own server', async (t) => {
  const { engine, shared, rotate } = await sharing(t)
  const own = await serveEcho(t, engine)
  const threads = [await joinOnThread(t, shared), await joinOnThread(t, shared)]
  const leaf = rotate()
  const { members, ...result } = await engine.reload()
  assertApplied({ ...result, members })
  assert.deepEqual(
    members.map(({ outcome }) => outcome),
    ['applied', 'applied'],
  )
  for (const port of [own, ...threads.map(({ port }) => port)]) {
    assert.equal(await servedBy(port), leaf.fingerprint256)
  }
})

test('a thread can request a reload, and its result covers all members', async (t) => {
  const { shared, rotate, engine } = await sharing(t)
  const thread = await joinOnThread(t, shared)
  const leaf = rotate()
  thread.worker.postMessage({ reload: true })
  assert.deepEqual(await thread.next(), { outcome: 'applied' })
  assert.equal(await servedBy(thread.port), leaf.fingerprint256)
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, leaf.fingerprint256)
})

test('when sharing ends, threads continue to serve and know that they are alone', async (t) => {
  const { shared, engine, rotate, first } = await sharing(t)
  const thread = await joinOnThread(t, shared)
  shared.close()
  assert.deepEqual(await thread.next(), { orphaned: true })
  rotate()
  const { outcome, members } = await engine.reload()
  assert.deepEqual([outcome, members], ['applied', []])
  assert.equal(await servedBy(thread.port), first.fingerprint256)
  thread.worker.postMessage({ close: true })
  assert.deepEqual(await thread.next(), { state: 'closed' })
  assert.equal(await servedBy(thread.port), first.fingerprint256)
})

test('a closed engine cannot be shared', async (t) => {
  const { shared, engine } = await sharing(t)
  await joinOnThread(t, shared)
  assert.equal(shared.members().length, 1)
  await engine.close()
  assert.deepEqual(shared.members(), [])
})

test('fleets of two engines in one process are distinguished by their names', async (t) => {
  const [a, b] = [await sharing(t, 'a'), await sharing(t, 'b')]
  const thread = await joinOnThread(t, b.shared, 'b')
  a.shared.add(thread.worker)
  assert.equal(await servedBy(thread.port), b.first.fingerprint256)
  assert.deepEqual([a.shared.members().length, b.shared.members().length], [0, 1])
})

test('an engine is shared once, and other objects are refused', async (t) => {
  const { engine } = await sharing(t)
  assert.throws(() => shareEngine(engine), { code: 'OPTIONS_INVALID' })
  assert.throws(() => shareEngine({} as ReloadEngine), { code: 'OPTIONS_INVALID' })
  const other = await startEngine(t, writePair(tempDir(t), authority.issue()))
  assert.throws(() => shareEngine(other, { timeoutMs: 0 }), { code: 'OPTIONS_INVALID' })
})

test('a member that joins without a primary gets an error', async (t) => {
  if (process.send === undefined) await assert.rejects(joinEngine(), { code: 'OPTIONS_INVALID' })
  const worker = new Worker(new URL('../../../support/fleet/fleet-thread.js', import.meta.url), {
    workerData: { name: 'unshared' },
  })
  t.after(() => worker.terminate())
  const [error] = await Promise.race([once(worker, 'error'), once(worker, 'exit')])
  assert.equal((error as { code?: string }).code, 'MEMBER_TIMEOUT')
})

test('foreign messages on the same channel are ignored', async (t) => {
  const { shared } = await sharing(t)
  const { port1, port2 } = new MessageChannel()
  t.after(() => port1.close())
  shared.add(port1)
  for (const message of [null, 'text', 7, {}, { certswap: 'other', message: { kind: 'join', pid: 1 } }]) {
    port2.postMessage(message)
  }
  port2.postMessage({ certswap: 'default', message: { kind: 'join', pid: 42 } })
  const staged = new Promise((resolve) => port2.once('message', resolve))
  assert.equal(((await staged) as { certswap: string }).certswap, 'default')
})

async function sharing(t: TestContext, name = 'default') {
  const dir = tempDir(t)
  const first = authority.issue()
  const engine = await startEngine(t, writePair(dir, first))
  const shared = shareEngine(engine, { name })
  t.after(() => shared.close())
  const rotate = () => {
    const leaf = authority.issue()
    writePair(dir, leaf)
    return leaf
  }
  return { engine, shared, first, rotate }
}
