/*
 * The time limit applies to a task and not to the queue, and a thread that cannot be ended costs only the resources that it
 * holds.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { startEngine as startInternal } from '../../../src/main/engine/engine.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { poisons } from '../../../support/worker/poisons.js'
import { standIn } from '../../../support/worker/stand-in.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const authority = createAuthority()
const TIMEOUT_MS = 1_200

test('engines that start together all start, however long they wait for a thread', async (t) => {
  const dir = tempDir(t)
  const pair = writePair(dir, authority.issue())
  const engines = Array.from({ length: 24 }, () => engineOf(t, pair, standIn('slow')))
  const outcomes = await Promise.allSettled(engines)
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    outcomes.map(() => 'fulfilled'),
  )
})

test('a file that hangs one thread does not hang a second one, for its own engine or for another', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  const bad = authority.issue()
  const pair = writePair(dir, authority.issue())
  const [one, two] = await Promise.all([engineOf(t, pair), engineOf(t, pair)])
  poison.add(bad.keyPem, 'hangs')
  writePair(dir, bad)
  const threads = watchThreads(t)
  const first = await one.reload()
  assert.deepEqual(
    first.problems.map(({ code, path }) => [code, path]),
    [['WORKER_TIMEOUT', pair.key]],
  )
  const { started } = threads
  for (const engine of [two, one, two, one, two]) {
    const { problems } = await engine.reload()
    assert.deepEqual(
      problems.map(({ code, path }) => [code, path]),
      [['WORKER_TIMEOUT', pair.key]],
    )
  }
  assert.ok(threads.started <= started + 1)
  writePair(dir, authority.issue())
  assertApplied(await one.reload())
  assertApplied(await two.reload())
})

test('however many files hang threads, at most four threads exist, and the reload reports where they hang', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  const pair = writePair(dir, authority.issue())
  const engine = await engineOf(t, pair)
  const threads = watchThreads(t)
  const codes: string[] = []
  for (let i = 0; i < 6; i++) {
    const bad = authority.issue()
    poison.add(bad.keyPem, 'hangs')
    writePair(dir, bad)
    const { problems } = await engine.reload()
    codes.push(problems[0]?.code ?? 'none')
    // One more than the watch has counted: the thread of the start.
    assert.ok(threads.alive <= 3, `${threads.alive} threads`)
    if (codes.at(-1) === 'WORKER_UNAVAILABLE') assert.match(problems[0]?.message ?? '', /tls\.key/)
  }
  assert.ok(codes.includes('WORKER_UNAVAILABLE'), codes.join())
  poison.clear()
  writePair(dir, authority.issue())
  poison.release()
  await eventually('the threads have come back', () => threads.alive <= 1)
  assertApplied(await engine.reload())
})

async function engineOf(
  t: TestContext,
  options: ReloadEngineOptions,
  workerTasks: URL = standIn('poisoned'),
): Promise<ReloadEngine> {
  const engine = await startInternal(
    { logger: recordingLogger(), worker: { timeoutMs: TIMEOUT_MS }, ...options },
    { workerTasks },
  )
  t.after(() => engine.close())
  return engine
}
