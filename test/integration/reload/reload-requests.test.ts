/*
 * Concurrent reload requests cause at most two readings of the files, and every caller gets the result of a reading that began
 * after its request.
 *
 * Guards against queues of identical jobs (Valkey queued one each second behind a slow one), and against the result of a
 * reading that ended before the files changed.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import type { ReloadResult } from '../../../src/main/index.js'
import { recordEvents, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()

for (const [what, changed] of [
  ['of files that changed', true],
  ['of files that did not change', false],
] as const) {
  test(`a hundred reloads at once ${what} are two passes`, async (t) => {
    const paths = writePair(tempDir(t), authority.issue())
    const engine = await startEngine(t, paths)
    const settled = recordEvents(engine, 'settled')
    const leaf = authority.issue()
    if (changed) replacePair(paths, leaf)
    const results = await Promise.all(Array.from({ length: 100 }, () => engine.reload()))
    assert.equal(settled.length, 2)
    assert.deepEqual(
      settled.map(({ outcome }) => outcome),
      [changed ? 'applied' : 'unchanged', 'unchanged'],
    )
    assert.deepEqual(new Set(results), new Set(settled))
    assert.equal(results.length, 100)
  })
}

test('calls, signals and the control server share the passes that they request at the same time', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, paths)
  const settled = recordEvents(engine, 'settled')
  const triggers = ['api', 'signal', 'control'] as const
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, i) => engine.reload({ trigger: triggers[i % 3] ?? 'api' })),
  )
  assert.equal(settled.length, 2)
  assert.equal(new Set(results).size, 2)
})

test('a request during a pass gets a result that includes changes made after that pass began, at whatever moment it arrives', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, paths)
  const port = await serveEcho(t, engine)
  for (let turns = 0; turns < 40 * TURNS_A_STEP; turns += TURNS_A_STEP) {
    replacePair(paths, authority.issue())
    const running = engine.reload()
    for (let i = 0; i < turns; i++) await turn()
    const leaf = authority.issue()
    replacePair(paths, leaf)
    const { serving } = await engine.reload()
    assert.equal(serving.fingerprint256, leaf.fingerprint256, `${turns} turns after the pass began`)
    assert.equal(await servedBy(port), leaf.fingerprint256)
    await running
  }
})

test('a request at the very end of a pass gets another one', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, paths)
  const leaf = authority.issue()
  const second = new Promise<ReloadResult>((resolve) => {
    engine.once('settled', () => {
      replacePair(paths, leaf)
      resolve(engine.reload())
    })
  })
  const first = await engine.reload()
  assert.equal(first.outcome, 'unchanged')
  const { outcome, serving } = await second
  assert.deepEqual(
    { outcome, fingerprint256: serving.fingerprint256 },
    { outcome: 'applied', fingerprint256: leaf.fingerprint256 },
  )
})

test('a caller that stops waiting does not stop the pass for the others', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, paths)
  replacePair(paths, authority.issue())
  const controller = new AbortController()
  const impatient = engine.reload({ signal: controller.signal })
  const patient = engine.reload()
  controller.abort()
  await assert.rejects(impatient, { name: 'ReloadError', code: 'ABORTED' })
  assert.equal((await patient).generation, 2)
  await assert.rejects(engine.reload({ signal: AbortSignal.abort() }), { code: 'ABORTED' })
})

test('callers that wait when the engine closes get an error', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, paths)
  const waiting = [engine.reload(), engine.reload(), engine.reload({ force: true })]
  const closing = engine.close()
  for (const outcome of await Promise.allSettled(waiting)) {
    assert.equal(outcome.status, 'rejected')
    assert.equal(outcome.reason.code, 'CLOSED')
  }
  await closing
  await assert.rejects(engine.reload(), { code: 'CLOSED' })
})

/** Turns of an idle event loop; forty times as many last about as long as a pass. */
const TURNS_A_STEP = 20

function replacePair(
  paths: { readonly cert: string; readonly key: string },
  leaf: { readonly chainPem: string; readonly keyPem: string },
): void {
  renameInto(paths.key, leaf.keyPem)
  renameInto(paths.cert, leaf.chainPem)
}
