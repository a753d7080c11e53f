/*
 * A timer check is a pass like any other: it is counted and has its events. A check without changes is cheap, whatever the
 * number of files, and one with changes loads them.
 */

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { startEngine as startEngineWith } from '../../../src/main/engine/engine.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { createMetrics } from '../../../src/main/observe/metrics.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { nextEvent, recordEvents, startEngine } from '../../../support/engine/engines.js'
import { hostSite, putHost } from '../../../support/engine/host-site.js'
import { overwriteInPlace, renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { nextUnchangedCost, standIn, type UnchangedCost } from '../../../support/worker/stand-in.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const authority = createAuthority()

test('checks without changes are counted in status and metrics, have their events, and log nothing', async (t) => {
  const logger = recordingLogger()
  const paths = writePair(tempDir(t), authority.issue())
  const engine = await startEngine(t, { ...paths, logger })
  const metrics = createMetrics(engine)
  const settled = recordEvents(engine, 'settled')
  const checked = recordEvents(engine, 'checked')
  const count = logger.lines.length
  const { lastSuccess } = engine.status()

  engine.autoReloadInterval = 0.005
  await quietChecks(engine, 20)
  engine.autoReloadInterval = 0
  const status = engine.status()
  assert.deepEqual([status.generation.number, status.lastAttempt], [1, status.lastSuccess])
  assert.ok(status.lastSuccess.at > lastSuccess.at)
  assert.deepEqual(
    { ...status.lastSuccess, at: null },
    { at: null, trigger: 'timer', outcome: 'unchanged', problems: [] },
  )
  // After a check that had already begun.
  await engine.reload()
  assert.deepEqual(
    new Set(checked.map(({ trigger, outcome }) => `${trigger} ${outcome}`)),
    new Set(['timer unchanged']),
  )
  assert.deepEqual(settled.slice(0, -1), checked)
  assert.deepEqual(logger.lines.slice(count), [])
  assert.equal(engine.status().passes.unchanged, checked.length + 1)
  const text = await metrics.text()
  assert.match(
    text,
    new RegExp(`^certswap_reloads_total{trigger="timer",outcome="unchanged"} ${checked.length}$`, 'm'),
  )
  assert.match(text, new RegExp(`^certswap_reload_duration_seconds_count ${settled.length}$`, 'm'))
  const seconds = Date.parse(engine.status().lastAttempt.at) / 1000
  assert.ok(
    text.includes(`certswap_last_reload_attempt_timestamp_seconds{context="default"} ${seconds}\n`),
    text,
  )
})

test('a check without changes opens no key, and its messages do not grow with the files', async (t) => {
  const dir = tempDir(t)
  const anchors = join(dir, 'anchors')
  mkdirSync(anchors)
  for (let i = 0; i < 30; i++) renameInto(join(anchors, `${i}.pem`), createAuthority().certPem)
  const names = Array.from({ length: 30 }, (_, i) => `h${i}.test`)
  for (const name of names) putHost(dir, authority, name)
  const filesOf = (name: string) => ({
    cert: join(dir, 'hosts', name, 'tls.crt'),
    key: join(dir, 'hosts', name, 'tls.key'),
  })
  const pair = writePair(dir, authority.issue())

  const small = await checkOf(t, pair)
  assert.deepEqual(small.opened, [pair.cert])
  const large = {
    'a directory of trust anchors': { caDir: anchors },
    'hosts by pattern': { hosts: join(dir, 'hosts', '*') },
    'hosts by name': { hosts: Object.fromEntries(names.map((name) => [name, filesOf(name)])) },
  }
  for (const [what, options] of Object.entries(large)) {
    const { opened, copiedBytes } = await checkOf(t, { ...pair, ...options })
    assert.deepEqual(
      opened.filter((path) => path.endsWith('.key')),
      [],
      what,
    )
    const least = small.copiedBytes
    assert.ok(copiedBytes < least + 500, `${what}: ${copiedBytes} bytes, and ${least} for a pair alone`)
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

test('checks end when they are turned off', async (t) => {
  const engine = await startEngine(t, writePair(tempDir(t), authority.issue()))
  engine.autoReloadInterval = 0.005
  await quietChecks(engine, 5)
  engine.autoReloadInterval = 0
  // After a check that had already begun.
  await engine.reload()
  const { unchanged } = engine.status().passes
  await sleep(50)
  assert.equal(engine.status().passes.unchanged, unchanged)
})

test('consecutive checks share one thread, which ends with the engine', async (t) => {
  const threads = watchThreads(t)
  const worker = { idleTimeoutMs: 1000 }
  const engine = await startEngine(t, { ...writePair(tempDir(t), authority.issue()), worker })
  engine.autoReloadInterval = 0.01
  await quietChecks(engine, 150)
  assert.deepEqual([threads.started, threads.alive], [1, 1])
  await engine.close()
  await threads.lastEnded()
  assert.equal(threads.alive, 0)
})

test('checks release their thread when they are turned off or set to more than the idle time', async (t) => {
  const threads = watchThreads(t)
  const worker = { idleTimeoutMs: 100 }
  const engine = await startEngine(t, { ...writePair(tempDir(t), authority.issue()), worker })
  for (const interval of [0, 3600]) {
    engine.autoReloadInterval = 0.01
    await quietChecks(engine, 20)
    const { unchanged } = engine.status().passes
    engine.autoReloadInterval = interval
    await eventually('the thread has ended', () => threads.alive === 0)
    assert.ok(engine.status().passes.unchanged >= unchanged, 'no check is forgotten')
  }
})

test('an engine that closes returns the thread of its checks to the shared budget', async (t) => {
  const threads = watchThreads(t)
  const options = { ...writePair(tempDir(t), authority.issue()), worker: { idleTimeoutMs: 100 } }
  await startEngine(t, options)
  const engine = await startEngine(t, options)
  engine.autoReloadInterval = 0.01
  await quietChecks(engine, 20)
  await engine.close()
  await eventually('the thread has ended', () => threads.alive === 0)
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

/** Resolves when this many more checks have found no change. */
async function quietChecks(engine: ReloadEngine, count: number): Promise<void> {
  const { unchanged } = engine.status().passes
  await eventually(`${count} checks`, () => engine.status().passes.unchanged >= unchanged + count)
}

/** The cost of a pass that finds no change. */
async function checkOf(t: TestContext, options: ReloadEngineOptions): Promise<UnchangedCost> {
  const quiet = { ...options, logger: recordingLogger() }
  const engine = await startEngineWith(quiet, { workerTasks: standIn('reports-costs') })
  t.after(() => engine.close())
  const cost = nextUnchangedCost()
  await engine.reload()
  return await cost
}
