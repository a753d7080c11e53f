/* `renewed`: what a new generation changes for connections that are already open, so that pools can be retired. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import type { Delivery, ReloadEngineOptions, ReloadResult, Renewal } from '../../../src/main/index.js'
import { assertApplied, recordEvents, startEngine } from '../../../support/engine/engines.js'
import { overwriteInPlace, writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere } from '../../../support/fleet/fleet-member.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { deliveryOf, MemorySource } from '../../../support/sources/memory-source.js'

const [one, two] = [createAuthority({ name: 'One' }), createAuthority({ name: 'Two' })]
const both = one.certPem + two.certPem

test('a renewed certificate changes the leaf, and no trust; the generation is in service when the event is emitted', async (t) => {
  const { engine, dir } = await site(t, { ca: one.certPem })
  const order: string[] = []
  engine.on('applied', () => order.push('applied'))
  engine.on('renewed', ({ generation }) =>
    order.push(`${generation} of ${engine.status().generation.number}`),
  )
  const renewals = recordEvents(engine, 'renewed')
  writePair(dir, one.issue())
  assertApplied(await engine.reload())
  assert.deepEqual(renewals, [{ generation: 2, leaf: true, trust: 'unchanged' }])
  assert.deepEqual(order, ['applied', '2 of 2'])
})

test('a chain certificate that is added changes what peers are shown', async (t) => {
  const { engine, dir, leaf } = await site(t, {})
  const renewals = recordEvents(engine, 'renewed')
  writePair(dir, { ...leaf, chainPem: leaf.chainPem + one.certPem })
  assertApplied(await engine.reload())
  assert.deepEqual(renewals.map(changes), ['leaf true, trust unchanged'])
})

test('a CA that is added widens trust, and one that is removed reduces it, also without a server', async (t) => {
  const { engine, write } = await site(t, { ca: one.certPem })
  const renewals = recordEvents(engine, 'renewed')
  for (const pem of [both, two.certPem]) {
    write('ca', pem)
    assertApplied(await engine.reload())
  }
  assert.deepEqual(renewals.map(changes), ['leaf false, trust widened', 'leaf false, trust reduced'])
})

test('a new revocation list reduces trust', async (t) => {
  const { engine, write } = await site(t, { ca: one.certPem, crl: one.crl() })
  const renewals = recordEvents(engine, 'renewed')
  write('crl', one.crl({ revoked: ['0a0b0c'] }))
  assertApplied(await engine.reload())
  assert.deepEqual(renewals.map(changes), ['leaf false, trust reduced'])
})

test('trusting CAs instead of the public roots reduces trust', async (t) => {
  const { engine, dir, write } = await site(t, {})
  const renewals = recordEvents(engine, 'renewed')
  write('ca', one.certPem)
  assertApplied(await engine.update({ ca: `${dir}/ca.pem` }))
  assert.deepEqual(renewals.map(changes), ['leaf false, trust reduced'])
})

test('an update of options alone changes neither, except allowPartialTrustChain, which changes trust', async (t) => {
  const { engine } = await site(t, { ca: one.certPem })
  const renewals = recordEvents(engine, 'renewed')
  const updates = [
    { minVersion: 'TLSv1.3' },
    { allowPartialTrustChain: true },
    { allowPartialTrustChain: false },
  ]
  for (const tls of updates as ReloadEngineOptions['tls'][])
    assertApplied(await engine.update({ tls: tls ?? {} }))
  assert.deepEqual(renewals.map(changes), [
    'leaf false, trust unchanged',
    'leaf false, trust widened',
    'leaf false, trust reduced',
  ])
})

test('a rollback changes the leaf, and trust only if it is restored', async (t) => {
  const { engine, dir, write } = await site(t, { ca: one.certPem })
  writePair(dir, one.issue())
  write('ca', both)
  assertApplied(await engine.reload())
  const renewals = recordEvents(engine, 'renewed')
  assertApplied(await engine.rollback(1))
  assertApplied(await engine.rollback({ generation: 1, trust: true }))
  assert.deepEqual(renewals.map(changes), ['leaf true, trust unchanged', 'leaf false, trust reduced'])
})

test('a renewed SNI host changes neither', async (t) => {
  const dir = tempDir(t)
  const host = () => writePair(dir, one.issue({ names: ['a.test'] }), { cert: 'a.crt', key: 'a.key' })
  const engine = await startEngine(t, { ...writePair(dir, one.issue()), hosts: { 'a.test': host() } })
  const renewals = recordEvents(engine, 'renewed')
  host()
  assertApplied(await engine.reload())
  assert.deepEqual(renewals.map(changes), ['leaf false, trust unchanged'])
})

test('without a new generation there is no event', async (t) => {
  const { engine, dir, leaf } = await site(t, { ca: one.certPem })
  const renewals = recordEvents(engine, 'renewed')
  const outcomes = [await engine.reload()]
  writePair(dir, one.issue())
  outcomes.push(await engine.reload({ dryRun: true }))
  overwriteInPlace(`${dir}/tls.crt`, 'invalid')
  outcomes.push(await engine.reload())
  writePair(dir, leaf)
  outcomes.push(await engine.reload())
  assert.deepEqual(outcomes.map(outcomeOf), ['unchanged', 'validated', 'rejected', 'unchanged'])
  assert.deepEqual(renewals, [])
})

test('anchors of a trust domain that are removed reduce trust', async (t) => {
  const leaf = one.issue({ uris: ['spiffe://example.org/client'] })
  const trusting = (version: string, trustDomains: NonNullable<Delivery['trustDomains']>) =>
    deliveryOf(leaf, version, { trustDomains })
  const own = { 'example.org': [one.certDer] }
  const source = new MemorySource(trusting('1', own))
  const engine = await startEngine(t, { source })
  const renewals = recordEvents(engine, 'renewed')
  source.set(trusting('2', { ...own, 'partner.test': [two.certDer] }))
  assertApplied(await engine.reload())
  source.set(trusting('3', own))
  assertApplied(await engine.reload())
  assert.deepEqual(renewals.map(changes), ['leaf false, trust widened', 'leaf false, trust reduced'])
})

test('a member of a fleet emits the same events for its own generations', async (t) => {
  const { engine, dir, write } = await site(t, { ca: both })
  const member = await joinHere(t, engine)
  const renewals: Renewal[] = []
  member.on('renewed', (renewal) => {
    assert.equal(member.status().generation.number, renewal.generation)
    renewals.push(renewal)
  })
  writePair(dir, one.issue())
  assertApplied(await engine.reload())
  write('ca', one.certPem)
  assertApplied(await engine.reload())
  assertApplied(await engine.rollback({ generation: 1, trust: true }))
  assert.deepEqual(renewals, [
    { generation: 2, leaf: true, trust: 'unchanged' },
    { generation: 3, leaf: false, trust: 'reduced' },
    { generation: 4, leaf: true, trust: 'widened' },
  ])
})

async function site(t: TestContext, trust: { readonly ca?: string; readonly crl?: string }) {
  const dir = tempDir(t)
  const leaf = one.issue()
  const write = (name: 'ca' | 'crl', pem: string) => overwriteInPlace(`${dir}/${name}.pem`, pem)
  const options: { -readonly [K in 'ca' | 'crl']?: string } = {}
  for (const [name, pem] of Object.entries(trust) as ['ca' | 'crl', string][]) {
    write(name, pem)
    options[name] = `${dir}/${name}.pem`
  }
  const engine = await startEngine(t, {
    ...writePair(dir, leaf),
    ...options,
    policy: { pairGraceSeconds: 0 },
  })
  return { engine, dir, leaf, write }
}

function changes({ leaf, trust }: Renewal): string {
  return `leaf ${leaf}, trust ${trust}`
}

function outcomeOf({ outcome }: ReloadResult): string {
  return outcome
}
