/*
 * Whatever the worker does, the last good certificate stays in service, the result reports the failure, and the next reload
 * works.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { startEngine } from '../../../src/main/engine/engine.js'
import type { ReloadEngine } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, recordEvents, servedBy, serveEcho } from '../../../support/engine/engines.js'
import { type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import type { Fault } from '../../../support/worker/faults.js'
import { behave, misbehaveIn, misbehaving, standIn } from '../../../support/worker/stand-in.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const authority = createAuthority().issueAuthority()

const TIMEOUT_MS = 10_000

const crashes: Readonly<Partial<Record<Fault, string>>> = {
  throws: 'throws',
  exits: 'ends its thread',
  'hoards-memory': 'exceeds its memory limit',
  'returns-uncloneable': 'answers with a value that cannot be sent to another thread',
}

for (const [name, what] of Object.entries(crashes) as [Fault, string][]) {
  test(`while the worker ${what}, reloads are rejected as WORKER_CRASHED and the old certificate is served`, async (t) => {
    const { engine, port, paths, dir, served } = await servingEngine(t)
    const rejections = recordEvents(engine, 'rejected')
    const next = authority.issue()
    writePair(dir, next)
    misbehaveIn('prepare', paths.cert, name)
    for (const _ of [1, 2]) {
      const { outcome, problems, generation } = await engine.reload()
      assert.equal(outcome, 'rejected')
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['WORKER_CRASHED'],
      )
      assert.equal(generation, 1)
      assert.equal(await servedBy(port), served.fingerprint256)
    }
    assert.equal(rejections.length, 2)
    assert.equal(engine.status().state, 'failing')

    behave(paths.cert)
    assertApplied(await engine.reload())
    assert.equal(await servedBy(port), next.fingerprint256)
    assert.equal(engine.status().state, 'serving')
  })
}

const hangs: Readonly<Partial<Record<Fault, string>>> = {
  spins: 'never returns',
  'never-settles': 'never answers',
}

for (const [name, what] of Object.entries(hangs) as [Fault, string][]) {
  test(`while the worker ${what}, clients are served, and the reload ends as WORKER_TIMEOUT`, async (t) => {
    const threads = watchThreads(t)
    const { engine, port, paths, dir, served, clock } = await servingEngine(t)
    const next = authority.issue()
    writePair(dir, next)
    misbehaveIn('prepare', paths.cert, name)
    const reload = engine.reload()
    await misbehaving(paths.cert)
    assert.equal(await servedBy(port), served.fingerprint256)
    await clock.advance(TIMEOUT_MS)
    const { outcome, problems } = await reload
    assert.equal(outcome, 'rejected')
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['WORKER_TIMEOUT'],
    )
    assert.equal(await servedBy(port), served.fingerprint256)

    behave(paths.cert)
    assertApplied(await engine.reload())
    assert.equal(await servedBy(port), next.fingerprint256)
    await eventually('only the thread that works is left', () => threads.alive === 1)
  })
}

for (const name of ['throws', 'exits'] as const) {
  test(`a worker that fails (${name}) while it verifies a server costs the verification, not the new certificate`, async (t) => {
    const { engine, port, paths, dir } = await servingEngine(t)
    // The first reload verifies the listeners before its commit too.
    writePair(dir, authority.issue())
    assertApplied(await engine.reload())
    const next = authority.issue()
    writePair(dir, next)
    misbehaveIn('verify', paths.cert, name)
    const result = await engine.reload()
    assertApplied(result)
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['SERVED_UNVERIFIED'],
    )
    assert.equal(await servedBy(port), next.fingerprint256)

    behave(paths.cert)
    writePair(dir, authority.issue())
    const { outcome, warnings } = await engine.reload()
    assert.deepEqual({ outcome, warnings }, { outcome: 'applied', warnings: [] })
  })
}

test('a worker that fails at the first load is reported by its code, and no engine is created', async (t) => {
  const dir = tempDir(t)
  const paths = writePair(dir, authority.issue())
  misbehaveIn('prepare', paths.cert, 'exits')
  const parts = { workerTasks: standIn('misbehaves') }
  await assert.rejects(startEngine({ ...paths, logger: recordingLogger() }, parts), {
    code: 'WORKER_CRASHED',
  })
})

interface Serving {
  readonly engine: ReloadEngine
  readonly port: number
  readonly dir: string
  readonly paths: PairFiles
  readonly served: Leaf
  readonly clock: FakeClock
}

async function servingEngine(t: TestContext): Promise<Serving> {
  const dir = tempDir(t)
  const served = authority.issue()
  const paths = writePair(dir, served)
  const clock = fakeClock()
  const worker = { timeoutMs: TIMEOUT_MS, memoryLimitMb: 64 }
  const engine = await startEngine(
    { ...paths, worker, logger: recordingLogger() },
    { clock, workerTasks: standIn('misbehaves') },
  )
  t.after(() => engine.close())
  return { engine, port: await serveEcho(t, engine), dir, paths, served, clock }
}
