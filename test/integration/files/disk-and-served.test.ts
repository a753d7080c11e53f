/*
 * Whether the served material equals the files on disk, and since when not, as reported by the engine, the metrics and the
 * program.
 */

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngine, ReloadResult } from '../../../src/main/index.js'
import { createMetrics, type Metrics } from '../../../src/main/observe/metrics.js'
import { seriesOf } from '../../../support/docs/exposition.js'
import { assertApplied, nextEvent, recordEvents, startEngine } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'
import { controlledEngine, request } from '../../../support/servers/control.js'

test('after a rollback, disk and served material differ until the served material is on disk again', async (t) => {
  const { engine, pointAt, expectSame, expectDifferent } = await linked(t)
  await expectSame()
  pointAt('second')
  assertApplied(await engine.reload())
  await expectSame()
  await engine.rollback()
  const since = await expectDifferent()
  assert.equal((await look(engine)).outcome, 'unchanged')
  assert.equal(await expectDifferent(), since)
  // The same files as before, with the same stamps: only a link has changed.
  pointAt('first')
  assert.equal((await look(engine)).outcome, 'unchanged')
  await expectSame()
})

test('a requested reload after a rollback makes them equal', async (t) => {
  const { engine, pointAt, expectSame, expectDifferent } = await linked(t)
  pointAt('second')
  assertApplied(await engine.reload())
  await engine.rollback()
  await expectDifferent()
  assertApplied(await engine.reload())
  await expectSame()
})

test('after files that cannot be served they differ, until the files change again', async (t) => {
  const { engine, dir, pointAt, expectSame, expectDifferent } = await linked(t)
  writeFileSync(join(dir, 'second', 'tls.crt'), 'no certificate')
  pointAt('second')
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'rejected')
  await expectSame()
  assert.equal((await engine.reload()).outcome, 'rejected')
  const since = await expectDifferent()
  assert.equal((await engine.update({ cert: join(dir, 'nowhere.crt') })).outcome, 'rejected')
  assert.equal((await engine.reload()).outcome, 'rejected')
  assert.equal(await expectDifferent(), since)
  pointAt('first')
  assert.equal((await engine.reload()).outcome, 'unchanged')
  await expectSame()
})

test('while the engine waits for the other half of a pair they differ', async (t) => {
  const { engine, dir, authority, expectSame, expectDifferent } = await linked(t)
  const leaf = authority.issue()
  writeFileSync(join(dir, 'first', 'tls.key'), leaf.keyPem)
  assert.equal((await engine.reload()).outcome, 'waiting-for-pair')
  await expectDifferent()
  writeFileSync(join(dir, 'first', 'tls.crt'), leaf.chainPem)
  assertApplied(await engine.reload())
  await expectSame()
})

test('after a rollback of hosts they differ for as long as one host differs from its files', async (t) => {
  const { engine, put } = await hostSite(t, { 'a.test': {}, 'b.test': {} })
  put('a.test')
  assertApplied(await engine.reload())
  assertApplied(await engine.rollback())
  assert.notEqual(engine.status().differsSince, null)
  put('b.test')
  assertApplied(await look(engine))
  assert.notEqual(engine.status().differsSince, null, 'a.test still has its rolled-back certificate')
  put('a.test')
  assertApplied(await look(engine))
  assert.equal(engine.status().differsSince, null)
})

test('the check that finds them equal again is reported like any pass', async (t) => {
  const { engine, pointAt } = await linked(t)
  pointAt('second')
  assertApplied(await engine.reload())
  await engine.rollback()
  await look(engine)
  assert.notEqual(engine.status().differsSince, null)
  // After a check that had already begun.
  await engine.reload({ dryRun: true })
  const settled = recordEvents(engine, 'settled')
  pointAt('first')
  await look(engine)
  const [{ outcome, trigger }] = settled as [ReloadResult]
  assert.deepEqual([outcome, trigger], ['unchanged', 'timer'])
  assert.equal(engine.status().differsSince, null)
})

test('the control server and the program report it', async (t) => {
  const { engine, socket, rotate, dir } = await controlledEngine(t)
  rotate()
  assertApplied(await engine.reload())
  const statusOf = () => certswap(['status', '--control', socket], { cwd: dir })
  assert.doesNotMatch((await statusOf()).stdout, /^disk/m)
  await engine.rollback()
  const { json } = await request(socket, '/status')
  assert.equal(json.differs_since, engine.status().differsSince)
  assert.match((await statusOf()).stdout, /^disk +differs from the certificate in service, for \d+ s$/m)
})

interface Linked {
  readonly dir: string
  readonly authority: Authority
  readonly engine: ReloadEngine
  /** Changes the link that the engine's paths go through. */
  pointAt(directory: 'first' | 'second'): void
  expectSame(): Promise<void>
  /** Since when they differ, as the engine reports it. */
  expectDifferent(): Promise<string>
}

/** Two pairs in two directories, and a link to the first. */
async function linked(t: TestContext): Promise<Linked> {
  const dir = tempDir(t)
  const authority = createAuthority()
  for (const name of ['first', 'second']) {
    mkdirSync(join(dir, name))
    writePair(join(dir, name), authority.issue())
  }
  const pointAt = (directory: string) => {
    symlinkSync(directory, join(dir, 'next'))
    renameSync(join(dir, 'next'), join(dir, 'live'))
  }
  pointAt('first')
  const engine = await startEngine(t, {
    cert: join(dir, 'live', 'tls.crt'),
    key: join(dir, 'live', 'tls.key'),
  })
  const metrics = createMetrics(engine)
  const gauges = async (of: Metrics) => {
    const series = seriesOf(await of.text())
    const names = ['certswap_serving_matches_disk', 'certswap_serving_differs_since_timestamp_seconds']
    return names.map((name) => series.get(name))
  }
  return {
    dir,
    authority,
    engine,
    pointAt,
    async expectSame() {
      assert.equal(engine.status().differsSince, null)
      assert.deepEqual(await gauges(metrics), [1, 0])
    },
    async expectDifferent() {
      const since = engine.status().differsSince
      assert.ok(since !== null)
      assert.deepEqual(await gauges(metrics), [0, Date.parse(since) / 1000])
      return since
    },
  }
}

/** One timer check, which ignores files that were rolled back. */
async function look(engine: ReloadEngine): Promise<ReloadResult> {
  const settled = nextEvent(engine, 'settled')
  engine.autoReloadInterval = 0.01
  const result = await settled
  engine.autoReloadInterval = 0
  return result
}
