/* An engine with a source behaves as one with files: two phases, generations, rollback, dry run, trust and hosts. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { startEngine as startWithParts } from '../../../src/main/engine/engine.js'
import type { Delivery } from '../../../src/main/index.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import {
  assertApplied,
  nextEvent,
  servedBy,
  serveEcho,
  startEngine,
} from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const root = createAuthority()
const authority = root.issueAuthority()

test('a push puts the delivered certificate into service, and the timer is not needed', async (t) => {
  const [first, second] = [authority.issue(), authority.issue()]
  const source = new MemorySource(deliveryOf(first, '1'))
  const engine = await startEngine(t, { source })
  const port = await serveEcho(t, engine)
  assert.equal(await servedBy(port), first.fingerprint256)
  const applied = nextEvent(engine, 'applied')
  source.push(deliveryOf(second, '2'))
  const result = await applied
  assert.equal(result.trigger, 'source')
  assert.deepEqual(result.changed, ['memory:cert', 'memory:key'])
  assert.equal(await servedBy(port), second.fingerprint256)
  const { source: status } = engine.status()
  assert.equal(status?.version, '2')
  assert.equal(status?.stale, false)
  assert.equal(status?.failingSince, null)
  assert.deepEqual(
    source.reports.map(({ version, outcome, generation }) => [version, outcome, generation]),
    [
      ['1', 'served', 1],
      ['2', 'served', 2],
    ],
  )
})

test('a thousand pushes in a second cause at most two passes', async (t) => {
  const clock = fakeClock()
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  const engine = await startWithParts({ source, logger: recordingLogger() }, { clock })
  t.after(() => engine.close())
  const readsBefore = source.asked.length
  for (let i = 0; i < 1000; i++) {
    source.push()
    await clock.advance(1)
  }
  await engine.reload()
  assert.ok(source.asked.length - readsBefore - 1 <= 2, `${source.asked.length - readsBefore - 1} passes`)
})

test('the timer finds a change whose push was lost', async (t) => {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  const engine = await startEngine(t, { source, autoReloadInterval: 0.05 })
  const renewed = authority.issue()
  const applied = nextEvent(engine, 'applied')
  source.set(deliveryOf(renewed, '2'))
  assert.equal((await applied).trigger, 'timer')
  assert.equal(engine.status().generation.certificates[0]?.fingerprint256, renewed.fingerprint256)
})

test('an answer that nothing changed is enough: the version is named, and the worker is not asked', async (t) => {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  const engine = await startEngine(t, { source })
  const result = await engine.reload()
  assert.equal(result.outcome, 'unchanged')
  assert.deepEqual(source.asked, [null, '1'])
})

const forms: Record<string, (leaf: Leaf) => Delivery['pairs'][number]> = {
  'PEM text': ({ chainPem, keyPem }) => ({ cert: chainPem, key: keyPem }),
  'PEM in one bundle, key first': ({ chainPem, keyPem }) => ({ bundle: Buffer.from(keyPem + chainPem) }),
  'PEM in one bundle, key last': ({ chainPem, keyPem }) => ({ bundle: chainPem + keyPem }),
  'concatenated DER': (leaf) => ({
    cert: Buffer.concat([leaf.certDer, authority.certDer]),
    key: derOf(leaf.keyPem),
  }),
}

for (const [form, pairOf] of Object.entries(forms)) {
  test(`a source may deliver ${form}`, async (t) => {
    const leaf = authority.issue()
    const source = new MemorySource({ version: '1', pairs: [pairOf(leaf)] })
    const port = await serveEcho(t, await startEngine(t, { source }))
    const seen = await handshake({ port, ca: root.certPem })
    assert.equal(seen.fingerprint256, leaf.fingerprint256)
    assert.ok(seen.authorized)
  })
}

test('a dry run validates the delivery and changes nothing; its outcome is not reported to the source', async (t) => {
  const first = authority.issue()
  const source = new MemorySource(deliveryOf(first, '1'))
  const engine = await startEngine(t, { source })
  const port = await serveEcho(t, engine)
  source.set(deliveryOf(authority.issue(), '2'))
  assert.equal((await engine.reload({ dryRun: true })).outcome, 'validated')
  assert.equal(await servedBy(port), first.fingerprint256)
  assert.equal(source.reports.length, 1)
  assertApplied(await engine.reload())
})

test('what was rolled back stays out of service until the source delivers another version', async (t) => {
  const [first, second, third] = [authority.issue(), authority.issue(), authority.issue()]
  const source = new MemorySource(deliveryOf(first, '1'))
  const engine = await startEngine(t, { source, autoReloadInterval: 0.02 })
  const port = await serveEcho(t, engine)
  source.set(deliveryOf(second, '2'))
  await nextEvent(engine, 'applied')
  await engine.rollback()
  await nextEvent(engine, 'settled', ({ trigger }) => trigger === 'timer')
  assert.equal(await servedBy(port), first.fingerprint256)
  assert.equal(engine.status().source?.version, null)
  const applied = nextEvent(engine, 'applied')
  source.set(deliveryOf(third, '3'))
  await applied
  assert.equal(await servedBy(port), third.fingerprint256)
  assert.deepEqual(
    source.reports.map(({ version, outcome }) => `${version} ${outcome}`),
    ['1 served', '2 served', '2 refused', '3 served'],
  )
})

test('another version with the same certificate is no new generation, and is not read in full again', async (t) => {
  const leaf = authority.issue()
  const source = new MemorySource(deliveryOf(leaf, '1'))
  const engine = await startEngine(t, { source })
  source.set(deliveryOf(leaf, '2'))
  assert.equal((await engine.reload()).outcome, 'unchanged')
  assert.equal(engine.status().generation.number, 1)
  assert.equal(engine.status().source?.version, '2')
  await engine.reload()
  assert.deepEqual(source.asked, [null, '1', '2'])
})

test('delivered trust anchors are in force beside those in files, and are removed only with the others', async (t) => {
  const [own, other] = [createAuthority(), createAuthority()]
  const ca = join(tempDir(t), 'ca.crt')
  writeFileSync(ca, own.certPem)
  const leaf = authority.issue()
  const source = new MemorySource(deliveryOf(leaf, '1', { ca: [other.certDer] }))
  const engine = await startEngine(t, { source, ca, requestCert: true })
  const port = await serveEcho(t, engine)
  const enters = async (client: Leaf) => {
    const options = { port, cert: client.chainPem, key: client.keyPem, confirm: true }
    return await handshake({ ...options, onSocket: (socket) => socket.write('x') }).then(
      () => true,
      () => false,
    )
  }
  assert.deepEqual([await enters(own.issue()), await enters(other.issue())], [true, true])
  source.set(deliveryOf(leaf, '2'))
  assertApplied(await engine.reload())
  assert.deepEqual([await enters(own.issue()), await enters(other.issue())], [true, false])
})

test('a delivery that leaves out all trust anchors is refused: clients and connections would trust public roots', async (t) => {
  const leaf = authority.issue()
  const source = new MemorySource(deliveryOf(leaf, '1', { ca: [root.certPem] }))
  const engine = await startEngine(t, { source })
  source.set(deliveryOf(authority.issue(), '2'))
  const { outcome, problems } = await engine.reload()
  assert.equal(outcome, 'rejected')
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['CA_EMPTY'],
  )
  assert.equal(engine.status().generation.trust.authorities, 1)
})

test('a server that requests certificates does not start with a source that delivers no trust anchor', async () => {
  const source = new MemorySource(deliveryOf(authority.issue(), '1'))
  await assert.rejects(startWithParts({ source, requestCert: true, logger: recordingLogger() }), {
    code: 'OPTIONS_INVALID',
  })
  assert.ok(source.isClosed)
})

test('delivered hosts are served by name, renewed one by one, and removed with the delivery that leaves them out', async (t) => {
  const leafOf = (name: string) => authority.issue({ names: [name] })
  const hostOf = (name: string, version: string, leaf: Leaf) => {
    return { name, version, cert: leaf.chainPem, key: leaf.keyPem }
  }
  const [main, a, b, renewedA] = [
    authority.issue(),
    leafOf('a.example'),
    leafOf('b.example'),
    leafOf('a.example'),
  ]
  const hosts = [hostOf('a.example', '1', a), hostOf('b.example', '1', b)]
  const source = new MemorySource(deliveryOf(main, '1', { hosts }))
  const engine = await startEngine(t, { source, hosts: {} })
  const port = await serveEcho(t, engine)
  const served = (servername: string) => servedBy(port, { servername })
  assert.equal(await served('a.example'), a.fingerprint256)
  assert.equal(await served('B.example'), b.fingerprint256)
  source.set(
    deliveryOf(main, '2', { hosts: [hostOf('a.example', '2', renewedA), hosts[1] as (typeof hosts)[0]] }),
  )
  const renewed = await engine.reload()
  assertApplied(renewed)
  assert.deepEqual(renewed.hosts, { served: 2, changed: 1, removed: 0 })
  assert.equal(await served('a.example'), renewedA.fingerprint256)
  source.set(deliveryOf(main, '3', { hosts: [hostOf('a.example', '2', renewedA)] }))
  assert.deepEqual((await engine.reload()).hosts, { served: 1, changed: 0, removed: 1 })
  assert.equal(await served('b.example'), main.fingerprint256)
})

test('a delivery that states nothing about hosts keeps them all, and an empty list removes them', async (t) => {
  const [main, a] = [authority.issue(), authority.issue({ names: ['a.example'] })]
  const hosts = [{ name: 'a.example', version: '1', cert: a.chainPem, key: a.keyPem }]
  const source = new MemorySource(deliveryOf(main, '1', { hosts }))
  const engine = await startEngine(t, { source, hosts: {} })
  const renewed = authority.issue()
  source.set(deliveryOf(renewed, '2'))
  assertApplied(await engine.reload())
  assert.equal(engine.servingFor('a.example')?.fingerprint256, a.fingerprint256)
  source.set(deliveryOf(renewed, '3', { hosts: [] }))
  assertApplied(await engine.reload())
  assert.equal(engine.servingFor('a.example')?.fingerprint256, renewed.fingerprint256)
})

test('revocation lists are removed by an empty list, not by an omission', async (t) => {
  const leaf = authority.issue()
  const crl = [root.crl()]
  const source = new MemorySource(deliveryOf(leaf, '1', { ca: [root.certPem], crl }))
  const engine = await startEngine(t, { source })
  source.set(deliveryOf(leaf, '2', { ca: [root.certPem] }))
  const { outcome, problems } = await engine.reload()
  assert.deepEqual([outcome, problems[0]?.code], ['rejected', 'SOURCE_INVALID'])
  assert.equal(engine.status().generation.trust.revocationLists, 1)
  source.set(deliveryOf(leaf, '3', { ca: [root.certPem], crl: [] }))
  assertApplied(await engine.reload())
  assert.equal(engine.status().generation.trust.revocationLists, 0)
})

test('one broken host of a delivery keeps its certificate, and the others are renewed', async (t) => {
  const leafOf = (name: string) => authority.issue({ names: [name] })
  const hostOf = (name: string, version: string, leaf: Leaf, key = leaf.keyPem) => {
    return { name, version, cert: leaf.chainPem, key }
  }
  const main = authority.issue()
  const [a, b, a2, b2] = ['a.example', 'b.example', 'a.example', 'b.example'].map(leafOf) as [
    Leaf,
    Leaf,
    Leaf,
    Leaf,
  ]
  const source = new MemorySource(
    deliveryOf(main, '1', { hosts: [hostOf('a.example', '1', a), hostOf('b.example', '1', b)] }),
  )
  const engine = await startEngine(t, { source, hosts: {} })
  const port = await serveEcho(t, engine)
  const broken = hostOf('a.example', '2', a2, authority.issue().keyPem)
  source.set(deliveryOf(main, '2', { hosts: [broken, hostOf('b.example', '2', b2)] }))
  const result = await engine.reload()
  assert.equal(result.outcome, 'applied')
  assert.deepEqual(
    result.problems.map(({ code, host }) => [code, host]),
    [['CERT_KEY_MISMATCH', 'a.example']],
  )
  assert.equal(await servedBy(port, { servername: 'a.example' }), a.fingerprint256)
  assert.equal(await servedBy(port, { servername: 'b.example' }), b2.fingerprint256)
})

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
}
