/*
 * A renewal writes two files, with a moment between them. The engine reports that it waits for the other half, and loads the
 * pair as soon as it is complete, with and without a timer.
 *
 * Guards against an error, or a whole interval of waiting, when half of a pair is read (envoy#13721, grpc#24600, nginx#740).
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { recordingLogger } from '../../../support/base/recording-logger.js'
import {
  assertApplied,
  nextEvent,
  recordEvents,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { renameInto, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()

for (const half of ['cert', 'key'] as const) {
  test(`without a timer, a pair whose ${half} was written first is served soon after the other half is written`, async (t) => {
    const paths = writePair(tempDir(t), authority.issue())
    const engine = await startEngine(t, { ...paths, autoReloadInterval: 0 })
    const port = await serveEcho(t, engine)
    const leaf = authority.issue()
    const contents = { cert: leaf.chainPem, key: leaf.keyPem }
    const otherHalf = half === 'cert' ? 'key' : 'cert'
    assert.equal(engine.status().nextCheckInMs, null)

    renameInto(paths[half], contents[half])
    const applied = nextEvent(engine, 'applied')
    assert.equal((await engine.reload()).outcome, 'waiting-for-pair')
    assert.notEqual(engine.status().nextCheckInMs, null)
    renameInto(paths[otherHalf], contents[otherHalf])

    assert.equal((await applied).trigger, 'timer')
    assert.equal(await servedBy(port), leaf.fingerprint256)
    assert.equal(engine.status().nextCheckInMs, null)
  })
}

test('half a pair emits its own event and one line at `info`, however often it is checked', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const logger = recordingLogger()
  const engine = await startEngine(t, { ...paths, autoReloadInterval: 0.05, logger })
  const rejected = recordEvents(engine, 'rejected')
  const loggedBefore = logger.lines.length
  const leaf = authority.issue()
  const waiting = nextEvent(engine, 'waiting')
  renameInto(paths.cert, leaf.chainPem)
  assert.equal((await waiting).problems[0]?.code, 'CERT_KEY_MISMATCH')
  await nextEvent(engine, 'waiting')
  await nextEvent(engine, 'waiting')
  const loud = logger.lines.slice(loggedBefore).filter(({ level }) => level !== 'debug')
  assert.deepEqual(
    loud.map(({ level }) => level),
    ['info'],
  )
  assert.deepEqual(rejected, [])
  const applied = nextEvent(engine, 'applied')
  renameInto(paths.key, leaf.keyPem)
  await applied
})

test('a pair that stays incomplete is rejected when its grace period is over, and is still loaded when it is complete', async (t) => {
  const paths = writePair(tempDir(t), authority.issue())
  const policy = { pairGraceSeconds: 0.2 }
  const engine = await startEngine(t, { ...paths, autoReloadInterval: 0.05, policy })
  const port = await serveEcho(t, engine)
  const waiting = nextEvent(engine, 'waiting')
  const rejected = nextEvent(engine, 'rejected')
  const leaf = authority.issue()
  renameInto(paths.key, leaf.keyPem)
  await waiting
  const { problems } = await rejected
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['CERT_KEY_MISMATCH'],
  )
  assert.equal(engine.status().state, 'failing')
  const applied = nextEvent(engine, 'applied')
  renameInto(paths.cert, leaf.chainPem)
  await applied
  assert.equal(await servedBy(port), leaf.fingerprint256)
})

test('an RSA pair and an ECDSA pair change together: while one is incomplete, both old pairs are served', async (t) => {
  const dir = tempDir(t)
  const [ec, rsa] = [authority.issue(), authority.issue({ keyType: 'rsa-2048' })]
  const ecPaths = writePair(dir, ec, { cert: 'ec.crt', key: 'ec.key' })
  const rsaPaths = writePair(dir, rsa, { cert: 'rsa.crt', key: 'rsa.key' })
  const engine = await startEngine(t, {
    cert: [ecPaths.cert, rsaPaths.cert],
    key: [ecPaths.key, rsaPaths.key],
  })
  const port = await serveEcho(t, engine)
  const served = async (): Promise<(string | undefined)[]> => [
    await servedBy(port, { sigalgs: 'ecdsa_secp256r1_sha256' }),
    await servedBy(port, { sigalgs: 'rsa_pss_rsae_sha256' }),
  ]
  assert.deepEqual(await served(), [ec.fingerprint256, rsa.fingerprint256])

  const [newEc, newRsa] = [authority.issue(), authority.issue({ keyType: 'rsa-2048' })]
  writePair(dir, newEc, { cert: 'ec.crt', key: 'ec.key' })
  renameInto(rsaPaths.cert, newRsa.chainPem)
  assert.equal((await engine.reload()).outcome, 'waiting-for-pair')
  assert.deepEqual(await served(), [ec.fingerprint256, rsa.fingerprint256])
  const applied = nextEvent(engine, 'applied')
  renameInto(rsaPaths.key, newRsa.keyPem)
  assertApplied(await applied)
  assert.deepEqual(await served(), [newEc.fingerprint256, newRsa.fingerprint256])
})
