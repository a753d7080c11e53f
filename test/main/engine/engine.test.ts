import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import type { ReloadEngine } from '../../../src/main/api/reload-engine.js'
import { startEngine as startEngineWith } from '../../../src/main/engine/engine.js'
import { currentContext } from '../../../src/main/generation/native-context.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { assertFrozen } from '../../../support/base/frozen.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied, recordEvents, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, type PairFiles, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'

const issuer = createAuthority().issueAuthority()

test('changes that are made at the same time are all in force in the end', async (t) => {
  const { engine, other } = await twoPairs(t)
  const [paths, policy] = await Promise.all([
    engine.update(other.files),
    engine.update({ policy: { requiredNames: ['localhost'] } }),
  ])
  assertApplied(paths)
  assertApplied(policy)
  assert.equal(policy.serving.fingerprint256, other.leaf.fingerprint256)
})

test('a change that another one made impossible is refused when its turn comes', async (t) => {
  const { engine, first, other } = await twoPairs(t)
  const pfx = join(other.dir, 'tls.p12')
  writeFileSync(pfx, pkcs12({ leaf: other.leaf, chain: [issuer] }), { mode: 0o600 })
  const [toPfx, keyAlone] = await Promise.allSettled([
    engine.update({ cert: undefined, key: undefined, pfx }),
    engine.update({ key: first.files.key }),
  ])
  assert.equal(toPfx.status === 'fulfilled' && toPfx.value.outcome, 'applied')
  assert.equal(keyAlone.status === 'rejected' && keyAlone.reason.code, 'OPTIONS_INVALID')
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, other.leaf.fingerprint256)
})

test('an interval that was set at run time survives other changes', async (t) => {
  const { engine, other } = await twoPairs(t)
  engine.autoReloadInterval = 30
  assertApplied(await engine.update(other.files))
  assert.equal(engine.autoReloadInterval, 30)
  await engine.update({ autoReloadInterval: 20 })
  assertApplied(await engine.update({ policy: { weakKey: 'warn' } }))
  assert.equal(engine.autoReloadInterval, 20)
})

test('an interval that is reset to its default is off', async (t) => {
  const { engine } = await twoPairs(t)
  engine.autoReloadInterval = 30
  const { outcome } = await engine.update({ autoReloadInterval: undefined })
  assert.deepEqual([outcome, engine.autoReloadInterval], ['unchanged', 0])
})

test('a refused interval changes nothing, alone or beside other changes', async (t) => {
  const { engine, first, other } = await twoPairs(t)
  for (const changes of [{ autoReloadInterval: -1 }, { autoReloadInterval: -1, ...other.files }]) {
    await assert.rejects(engine.update(changes), { code: 'OPTIONS_INVALID' })
  }
  assert.throws(() => Object.assign(engine, { autoReloadInterval: Number.NaN }), { code: 'OPTIONS_INVALID' })
  assert.equal(engine.autoReloadInterval, 0)
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, first.leaf.fingerprint256)
})

test('the interval takes effect with the paths beside it, or not at all', async (t) => {
  const { engine, other } = await twoPairs(t)
  const missing = await engine.update({ cert: '/absent.crt', autoReloadInterval: 30 })
  assert.deepEqual([missing.outcome, engine.autoReloadInterval], ['rejected', 0])
  assertApplied(await engine.update({ ...other.files, autoReloadInterval: 30 }))
  assert.equal(engine.autoReloadInterval, 30)
})

test('a closed engine accepts no change, not even of the interval alone', async (t) => {
  const { engine, other } = await twoPairs(t)
  await engine.close()
  await assert.rejects(engine.update(other.files), { code: 'CLOSED' })
  await assert.rejects(engine.update({ autoReloadInterval: 5 }), { code: 'CLOSED' })
})

test('a rollback does not end an outage: the files are still broken', async (t) => {
  const { engine, first } = await twoPairs(t)
  writePair(first.dir, issuer.issue())
  assertApplied(await engine.reload())
  overwriteInPlace(first.files.key, 'broken')
  await engine.reload()
  const since = engine.status().failingSince
  assert.ok(since)
  const recoveries = recordEvents(engine, 'recovered')
  assertApplied(await engine.rollback())
  assert.deepEqual([engine.status().state, engine.status().failingSince], ['failing', since])
  assert.deepEqual(recoveries, [])
})

test('the engine waits for a pair that begins to mismatch during another problem like for any other', async (t) => {
  const files = writePair(tempDir(t), issuer.issue())
  const clock = fakeClock()
  // Shorter than the delay of the first check that follows: no check is in progress when the time advances.
  const policy = { pairGraceSeconds: 0.04 }
  const engine = await startEngineWith({ ...files, policy, logger: recordingLogger() }, { clock })
  t.after(() => engine.close())
  overwriteInPlace(files.cert, 'broken')
  assert.equal((await engine.reload()).outcome, 'rejected')
  await clock.advance(3_600_000)
  overwriteInPlace(files.cert, issuer.issue().chainPem)
  assert.equal((await engine.reload()).outcome, 'waiting-for-pair')
  await clock.advance(40)
  assert.equal((await engine.reload()).outcome, 'rejected')
})

test('the grace period of a pair follows the current policy', async (t) => {
  const { engine, first } = await twoPairs(t)
  await engine.update({ policy: { pairGraceSeconds: 0 } })
  overwriteInPlace(first.files.cert, issuer.issue().chainPem)
  assert.equal((await engine.reload()).outcome, 'rejected')
})

test('the status is plain data, deeply frozen', async (t) => {
  const { engine } = await twoPairs(t)
  await engine.reload()
  const status = engine.status()
  assertFrozen(status, 'status')
  assert.deepEqual(JSON.parse(JSON.stringify(status)), structuredClone(status))
  assert.deepEqual(status.passes, {
    applied: 1,
    unchanged: 1,
    rejected: 0,
    validated: 0,
    'waiting-for-pair': 0,
  })
})

test('ticket keys are rotated when they are due, and the certificate stays', async (t) => {
  const clock = fakeClock(Date.UTC(2026, 0, 1))
  const options = {
    ...writePair(tempDir(t), issuer.issue()),
    tickets: { rotateHours: 24 },
    logger: recordingLogger(),
  }
  const engine = await startEngineWith(options, { clock })
  t.after(() => engine.close())
  const server = tls.createServer(engine.serverOptions())
  engine.attach(server)
  const before = { keys: server.getTicketKeys(), context: currentContext(server) }
  await clock.advance(24 * 3_600_000 - 1)
  assert.deepEqual(server.getTicketKeys(), before.keys)
  await clock.advance(1)
  assert.notDeepEqual(server.getTicketKeys(), before.keys)
  assert.equal(currentContext(server), before.context)
})

test('a server may not request client certificates if no CA is trusted', async (t) => {
  const { engine } = await twoPairs(t)
  assert.throws(() => engine.serverOptions({ requestCert: true }), {
    code: 'OPTIONS_INVALID',
    message: /`ca`/,
  })
})

test('an interval that is longer than the remaining lifetime of the certificate causes a warning', async (t) => {
  const notAfter = new Date(Date.now() + 3_600_000)
  const logger = recordingLogger()
  await startEngine(t, {
    ...writePair(tempDir(t), issuer.issue({ notAfter })),
    autoReloadInterval: 7200,
    logger,
  })
  assert.ok(logger.lines.some(({ level, fields }) => level === 'warn' && 'leftSeconds' in fields))
})

test('an engine can be disposed of with Symbol.asyncDispose', async (t) => {
  const { engine } = await twoPairs(t)
  await engine[Symbol.asyncDispose]()
  assert.equal(engine.status().state, 'closed')
  await assert.rejects(engine.reload(), { code: 'CLOSED' })
})

interface Pair {
  readonly dir: string
  readonly leaf: Leaf
  readonly files: PairFiles
}

/** An engine that serves the first of two pairs. */
async function twoPairs(t: TestContext): Promise<{ engine: ReloadEngine; first: Pair; other: Pair }> {
  const [first, other] = [pairIn(t), pairIn(t)]
  return { engine: await startEngine(t, first.files), first, other }
}

function pairIn(t: TestContext): Pair {
  const [dir, leaf] = [tempDir(t), issuer.issue()]
  return { dir, leaf, files: writePair(dir, leaf) }
}
