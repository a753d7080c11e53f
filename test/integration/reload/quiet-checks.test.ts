/*
 * A check by the timer that finds nothing new is counted, and that is all; one that finds something is followed by a
 * reload at once, whatever had become of the checks before.
 */

import assert from 'node:assert/strict'
import { mkdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Clock, systemClock } from '../../../src/main/base/clock.js'
import { startEngine as startEngineWith } from '../../../src/main/engine/engine.js'
import type { ReloadEngine, WorkerOptions } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { nextEvent, recordEvents, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { overwriteInPlace, renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { replyKinds, standIn } from '../../../support/worker/stand-in.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const authority = createAuthority()

test('checks that find nothing new are counted in status and metrics, and told to nobody', async (t) => {
  const logger = recordingLogger()
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, { ...paths, logger })
  const metrics = createMetrics(engine)
  const settled = recordEvents(engine, 'settled')
  const said = logger.lines.length
  const { lastSuccess } = engine.status()

  engine.autoReloadInterval = 0.005
  await quietChecks(engine, 20)
  engine.autoReloadInterval = 0
  assert.deepEqual([settled, logger.lines.slice(said)], [[], []])
  const status = engine.status()
  assert.deepEqual([status.generation.number, status.lastAttempt], [1, status.lastSuccess])
  assert.ok(status.lastSuccess.at > lastSuccess.at)
  assert.deepEqual(
    { ...status.lastSuccess, at: null },
    { at: null, trigger: 'timer', outcome: 'unchanged', problems: [] },
  )
  const text = await metrics.text()
  assert.match(
    text,
    new RegExp(
      `^certswap_reloads_total{trigger="timer",outcome="unchanged"} ${status.passes.unchanged}$`,
      'm',
    ),
  )
  const seconds = Date.parse(status.lastAttempt.at) / 1000
  assert.ok(
    text.includes(`certswap_last_reload_attempt_timestamp_seconds{context="default"} ${seconds}\n`),
    text,
  )
})

test('one check in many has a task for the worker: the first', async (t) => {
  const replies = replyKinds(t)
  const options = { ...writePair(tempDir(t), authority.issue()), logger: recordingLogger() }
  const engine = await startEngineWith(options, { workerTasks: standIn('reports-replies') })
  t.after(() => engine.close())
  assert.equal(await replies.next(), 'prepared or refused')
  // Time for the thread to stand by before the second one.
  engine.autoReloadInterval = 0.1
  await quietChecks(engine, 2)
  engine.autoReloadInterval = 0.005
  await quietChecks(engine, 50)
  engine.autoReloadInterval = 0
  assert.equal(await replies.next(), 'unchanged')
  utimesSync(options.key, new Date(), new Date())
  await engine.reload()
  assert.equal(await replies.next(), 'unchanged, with a new record')
})

test('the main thread is not woken by checks that find nothing new', async (t) => {
  let timers = 0
  const clock: Clock = {
    ...systemClock,
    after(delayMs, callback) {
      timers++
      return systemClock.after(delayMs, callback)
    },
  }
  const options = { ...writePair(tempDir(t), authority.issue()), logger: recordingLogger() }
  const engine = await startEngineWith(options, { clock })
  t.after(() => engine.close())
  engine.autoReloadInterval = 0.005
  await quietChecks(engine, 10)
  const before = timers
  await quietChecks(engine, 50)
  assert.equal(timers, before)
  const { nextCheckInMs } = engine.status()
  assert.ok(
    nextCheckInMs !== null && nextCheckInMs <= 5,
    `the next check is said to come in ${nextCheckInMs} ms`,
  )
})

test('whoever listens to `checked` is told of each', async (t) => {
  const engine = await startEngine(t, {
    ...writePair(tempDir(t), authority.issue()),
    autoReloadInterval: 0.005,
  })
  await quietChecks(engine, 5)
  for (const _ of [1, 2, 3]) {
    const { outcome, trigger } = await nextEvent(engine, 'checked')
    assert.deepEqual([outcome, trigger], ['unchanged', 'timer'])
  }
})

const changes = {
  'a certificate and its key': (dir: string) => writePair(dir, authority.issue()),
  'a CA bundle': (dir: string) => overwriteInPlace(join(dir, 'ca.pem'), createAuthority().certPem),
  'a file in a CA directory': (dir: string) =>
    renameInto(join(dir, 'anchors', 'second.pem'), createAuthority().certPem),
}

for (const [what, change] of Object.entries(changes)) {
  test(`${what} that changes after many quiet checks is loaded, and again after many more`, async (t) => {
    const dir = tempDir(t)
    const anchors = join(dir, 'anchors')
    overwriteInPlace(join(dir, 'ca.pem'), authority.certPem)
    mkdirSync(anchors)
    renameInto(join(anchors, 'first.pem'), createAuthority().certPem)
    const pair = writePair(dir, authority.issue())
    const engine = await startEngine(t, { ...pair, ca: join(dir, 'ca.pem'), caDir: anchors })
    engine.autoReloadInterval = 0.005
    for (const generation of [2, 3]) {
      await quietChecks(engine, 5)
      const applied = nextEvent(engine, 'applied')
      change(dir)
      const { trigger, ...result } = await applied
      assert.deepEqual([trigger, result.generation], ['timer', generation])
    }
  })
}

test('a host that is renewed, added or removed after many quiet checks is loaded', async (t) => {
  const { engine, put, shown } = await hostSite(
    t,
    { 'a.test': {}, 'b.test': {} },
    { autoReloadInterval: 0.005 },
  )
  await quietChecks(engine, 5)
  const applied = nextEvent(engine, 'applied')
  const renewed = put('b.test')
  assert.deepEqual((await applied).hosts, { served: 2, changed: 1, removed: 0 })
  assert.equal(await shown('b.test'), renewed.fingerprint256)
  await quietChecks(engine, 5)
  const again = nextEvent(engine, 'applied')
  const added = put('c.test')
  await again
  assert.equal(await shown('c.test'), added.fingerprint256)
})

test('a worker thread that ends while it looks costs nothing but another thread', async (t) => {
  const threads = watchThreads(t)
  const { engine, dir } = await watched(t, 'ends-at-a-look')
  const port = await serveEcho(t, engine)
  engine.autoReloadInterval = 0.005
  await eventually('four threads have looked', () => threads.started >= 4)
  const applied = nextEvent(engine, 'applied', ({ trigger }) => trigger === 'timer')
  const next = authority.issue()
  writePair(dir, next)
  await applied
  assert.equal(await servedBy(port), next.fingerprint256)
})

test('a look that never ends is given up after the time that a worker has, and a pass looks instead', async (t) => {
  const { engine, dir } = await watched(t, 'never-looks', { timeoutMs: 3000 })
  engine.autoReloadInterval = 0.02
  await eventually('the first check is a pass', () => engine.status().passes.unchanged === 1)
  writePair(dir, authority.issue())
  await eventually('the renewal is served', () => engine.status().generation.number === 2)
})

test('checks go on while the main thread is busy, and end when they are turned off', async (t) => {
  const engine = await startEngine(t, writePair(tempDir(t), authority.issue()))
  engine.autoReloadInterval = 0.005
  await quietChecks(engine, 5)
  const before = engine.status()
  busyUntil('looks were counted', () => engine.status().passes.unchanged >= before.passes.unchanged + 10)
  assert.ok(engine.status().lastAttempt.at > before.lastAttempt.at)
  engine.autoReloadInterval = 0
  // The order to rest is behind it in the thread's port.
  await engine.reload()
  const { unchanged } = engine.status().passes
  await sleep(50)
  assert.equal(engine.status().passes.unchanged, unchanged)
})

test('one thread is kept while it looks, and ends with the engine', async (t) => {
  const threads = watchThreads(t)
  const worker = { idleTimeoutMs: 1000 }
  const engine = await startEngine(t, { ...writePair(tempDir(t), authority.issue()), worker })
  // Time for the thread to stand by before the second one.
  engine.autoReloadInterval = 0.1
  await quietChecks(engine, 2)
  engine.autoReloadInterval = 0.01
  await quietChecks(engine, 150)
  assert.deepEqual([threads.started, threads.alive], [1, 1])
  await engine.close()
  await threads.lastEnded()
  assert.equal(threads.alive, 0)
})

test('turned off, or set to more than the idle time, checks give their thread back', async (t) => {
  const threads = watchThreads(t)
  const worker = { idleTimeoutMs: 100 }
  const engine = await startEngine(t, { ...writePair(tempDir(t), authority.issue()), worker })
  for (const interval of [0, 3600]) {
    engine.autoReloadInterval = 0.01
    await quietChecks(engine, 20)
    const { unchanged } = engine.status().passes
    engine.autoReloadInterval = interval
    await eventually('the thread has ended', () => threads.alive === 0)
    assert.ok(engine.status().passes.unchanged >= unchanged, 'no look is forgotten')
  }
})

test('an engine that closes gives the thread of its checks back to those that share it', async (t) => {
  const threads = watchThreads(t)
  const options = { ...writePair(tempDir(t), authority.issue()), worker: { idleTimeoutMs: 100 } }
  await startEngine(t, options)
  const engine = await startEngine(t, options)
  engine.autoReloadInterval = 0.01
  await quietChecks(engine, 20)
  await engine.close()
  await eventually('the thread has ended', () => threads.alive === 0)
})

test('a thread that hangs in a look is ended', async (t) => {
  const threads = watchThreads(t)
  const { engine } = await watched(t, 'hangs-at-a-look', { timeoutMs: 3000, idleTimeoutMs: 100 })
  engine.autoReloadInterval = 0.02
  await eventually('it looks', () => engine.status().passes.unchanged === 1)
  await eventually('a pass has looked instead', () => engine.status().passes.unchanged > 1)
  engine.autoReloadInterval = 0
  await eventually('no thread is left', () => threads.alive === 0)
})

test('with more than the idle time between two checks, no thread is kept', async (t) => {
  const threads = watchThreads(t)
  const worker = { idleTimeoutMs: 1 }
  const engine = await startEngine(t, { ...writePair(tempDir(t), authority.issue()), worker })
  engine.autoReloadInterval = 0.05
  await quietChecks(engine, 2)
  // On a busy machine the next check may begin before the thread of the last one has ended.
  await eventually('the threads of checks have ended', () => threads.started - threads.alive > 2)
})

/** Resolves when so many more checks have found nothing new. */
async function quietChecks(engine: ReloadEngine, count: number): Promise<void> {
  const { unchanged } = engine.status().passes
  await eventually(`${count} checks`, () => engine.status().passes.unchanged >= unchanged + count)
}

/** As the event loop of a program is that computes. */
function busyUntil(what: string, isSo: () => boolean): void {
  const end = Date.now() + 10_000
  while (!isSo()) assert.ok(Date.now() < end, what)
}

async function watched(
  t: TestContext,
  entry: string,
  worker: WorkerOptions = {},
): Promise<{ engine: ReloadEngine; dir: string }> {
  const dir = tempDir(t)
  const options = { ...writePair(dir, authority.issue()), logger: recordingLogger(), worker }
  const engine = await startEngineWith(options, {
    workerTasks: new URL(`../../../support/worker/workers/${entry}.js`, import.meta.url),
  })
  t.after(() => engine.close())
  return { engine, dir }
}
