/*
 * A Node whose native context and server look different from the known ones: here, the probes that examine them get unknown
 * objects. Everything then uses the public API, and must have the same result.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import tls from 'node:tls'

import { buildContext } from '../../../src/main/generation/build-context.js'
import { canBuildInSteps, canPoint, pointAt } from '../../../src/main/generation/native-context.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { SpareContexts } from '../../../src/main/generation/spare-contexts.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { contextPlan } from '../../../support/engine/context-plans.js'
import { assertApplied, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()

before(() => {
  const real = tls.createSecureContext
  class StrangeContext {}
  tls.createSecureContext = (options = {}) => {
    const isProbe = Object.keys(options).join() === 'ca' && (options.ca as unknown[]).length === 0
    return isProbe ? (new StrangeContext() as tls.SecureContext) : real(options)
  }
})

test('the unknown Node is detected', () => {
  assert.equal(canBuildInSteps(), false)
  assert.equal(canPoint(tls.createServer({})), false)
})

test('no context that has served is changed, and no spare is built', () => {
  const clock = fakeClock()
  const shelf = new SpareContexts(clock)
  const plan = contextPlan({ pairs: [authority.issue()] })
  const context = runAtOnce(buildContext(plan))
  shelf.prepare([plan], [{ plan, context, keyTypes: ['EC prime256v1'] }])
  assert.deepEqual([shelf.take(plan, ['EC prime256v1']), clock.pending], [null, 0])
})

test('a reload reaches servers of every policy, with client certificates and all', async (t) => {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const files = writePair(dir, authority.issue())
  const engine = await startEngine(t, { ...files, ca, requestCert: true })
  const strict = await serveEcho(t, engine)
  const open = await serveEcho(t, engine, { requestCert: false })
  const client = authority.issue()
  const known = { cert: client.certPem, key: client.keyPem, confirm: true }
  for (let renewal = 0; renewal < 2; renewal++) {
    const leaf = authority.issue()
    writePair(dir, leaf)
    assertApplied(await engine.reload())
    assert.equal(await servedBy(strict, known), leaf.fingerprint256)
    assert.equal(await servedBy(open), leaf.fingerprint256)
    await assertRefused({ port: strict })
  }
  const other = createAuthority()
  writeFileSync(ca, other.certPem)
  assertApplied(await engine.reload())
  await assertRefused({ port: strict, ...known })
})

test('a session survives a renewal, and ends with its trust', async (t) => {
  const dir = tempDir(t)
  const ca = join(dir, 'ca.pem')
  writeFileSync(ca, authority.certPem)
  const files = writePair(dir, authority.issue())
  const engine = await startEngine(t, { ...files, ca, requestCert: true, rejectUnauthorized: false })
  const port = await serveEcho(t, engine)
  const { session } = await handshake({ port })
  writePair(dir, authority.issue())
  assertApplied(await engine.reload())
  assert.equal((await handshake({ port, session })).reused, true)
  writeFileSync(ca, createAuthority().certPem)
  assertApplied(await engine.reload())
  assert.equal((await handshake({ port, session })).reused, false)
})

test('if a server refuses the new context, all servers return to the old one', async (t) => {
  const dir = tempDir(t)
  const first = authority.issue()
  const engine = await startEngine(t, writePair(dir, first))
  const ports = [await serveEcho(t, engine)]
  const stubborn = tls.createServer(engine.serverOptions())
  t.after(() => stubborn.close())
  engine.attach(stubborn)
  stubborn.setSecureContext = () => {
    throw Object.assign(new Error('no'), { code: 'ERR_MINE' })
  }
  writePair(dir, authority.issue())
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems[0]?.code], ['rejected', 'CONTEXT_REFUSED'])
  assert.equal(await servedBy(ports[0] as number), first.fingerprint256)
  assert.equal(engine.status().generation.number, 1)
})

test('a context that is built at once serves like one that is built in steps', async (t) => {
  const leaf = authority.issue()
  const plan = contextPlan({ pairs: [leaf], anchors: [authority], crl: authority.crl() })
  const server = createEcho({})
  pointAt(server, runAtOnce(buildContext(plan)))
  const port = await listen(t, server)
  assert.equal((await handshake({ port })).fingerprint256, leaf.fingerprint256)
})
