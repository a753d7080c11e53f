/* Hosts on demand in a fleet: the primary alone asks the source, and each member serves the hosts that its clients request. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { type SharedEngine, shareEngine } from '../../../src/main/fleet/index.js'
import type { OnDemandOptions, ReloadEngineOptions } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { joinHere, joinOnThread } from '../../../support/fleet/fleet-member.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { HostStore } from '../../../support/sources/host-store.js'

const authority = createAuthority()

test('a name that clients of all members request is one query, and all members serve its host', async (t) => {
  const { store, put, ports } = await fleet(t, 2)
  const leaf = put('a.example')
  const shown = await Promise.all(
    [...ports, ...ports].map((port) => servedBy(port, { servername: 'A.example' })),
  )
  assert.deepEqual(new Set(shown), new Set([leaf.fingerprint256]))
  for (const port of ports)
    assert.equal(
      await servedBy(port, { servername: 'a.example', maxVersion: 'TLSv1.2' }),
      leaf.fingerprint256,
    )
  assert.deepEqual(store.asked, ['a.example null'])
})

test('names that do not exist, or are outside `allow`, get the default certificate from every member', async (t) => {
  const { store, first, ports } = await fleet(t, 1)
  for (const port of ports) {
    for (const servername of ['none.example', 'none.example', 'a.elsewhere'])
      assert.equal(await servedBy(port, { servername }), first.fingerprint256)
  }
  assert.deepEqual(store.asked, ['none.example null'])
})

test('a renewal that the source announces reaches every member, and so does a removal', async (t) => {
  const { store, put, first, ports } = await fleet(t, 2)
  const servername = 'a.example'
  const shows = async (fingerprint: string) => {
    for (const port of ports) {
      const isShown = async () => (await servedBy(port, { servername })) === fingerprint
      await eventually('the member shows it', isShown)
    }
  }
  await shows(put(servername).fingerprint256)
  const renewed = put(servername)
  store.push(servername)
  await shows(renewed.fingerprint256)
  store.remove(servername)
  store.push(servername)
  await shows(first.fingerprint256)
})

test('a host that a member serves counts as used in the primary: it is renewed without an announcement', async (t) => {
  const { put, ports } = await fleet(t, 1, { refreshSeconds: 1 })
  const [, member = 0] = ports
  const servername = 'a.example'
  const leaf = put(servername)
  assert.equal(await servedBy(member, { servername }), leaf.fingerprint256)
  const renewed = put(servername)
  await eventually(
    'the renewal is served',
    async () => (await servedBy(member, { servername })) === renewed.fingerprint256,
  )
})

test('while the source is unavailable, and after the primary has ended, members keep the hosts that they have served', async (t) => {
  const { store, put, first, ports, shared, engine } = await fleet(t, 1)
  const [, member = 0] = ports
  const leaf = put('a.example')
  assert.equal(await servedBy(member, { servername: 'a.example' }), leaf.fingerprint256)
  store.fail()
  store.push('a.example')
  for (let i = 0; i < 5; i++)
    assert.equal(await servedBy(member, { servername: `cold${i}.example` }), first.fingerprint256)
  assert.equal(await servedBy(member, { servername: 'a.example' }), leaf.fingerprint256)
  assert.equal(engine.status().onDemand?.problem?.code, 'SOURCE_UNREACHABLE')
  shared.close()
  await engine.close()
  assert.equal(await servedBy(member, { servername: 'a.example' }), leaf.fingerprint256)
  assert.equal(await servedBy(member, { servername: 'other.example' }), first.fingerprint256)
})

test('after an outage of the source, a member gets the hosts again that it could not get', async (t) => {
  const { store, put, first, ports } = await fleet(t, 1, { negativeSeconds: 1 })
  const [, member = 0] = ports
  const leaf = put('a.example')
  store.fail()
  assert.equal(await servedBy(member, { servername: 'a.example' }), first.fingerprint256)
  store.answer = null
  await eventually(
    'the host is served',
    async () => (await servedBy(member, { servername: 'a.example' })) === leaf.fingerprint256,
  )
})

test('a member removes the least recently used host beyond `maxHosts`, and gets it again when it is requested', async (t) => {
  const { put, ports } = await fleet(t, 1, { maxHosts: 2 })
  const [, member = 0] = ports
  const names = ['a.example', 'b.example', 'c.example']
  const leaves = names.map((name) => put(name))
  for (let round = 0; round < 2; round++) {
    for (const [i, servername] of names.entries())
      assert.equal(await servedBy(member, { servername }), leaves[i]?.fingerprint256)
  }
})

test('a member that joins on the same thread serves hosts on demand, and its close leaves them in service', async (t) => {
  const { engine, put } = await site(t)
  const member = await joinHere(t, engine)
  const port = await serveEcho(t, member)
  const leaf = put('a.example')
  assert.equal(await servedBy(port, { servername: 'a.example' }), leaf.fingerprint256)
  assert.equal(member.servingFor('a.example')?.fingerprint256, leaf.fingerprint256)
  await member.close()
  assert.equal(await servedBy(port, { servername: 'a.example' }), leaf.fingerprint256)
})

interface Fleet extends Site {
  /** Of the primary and of each member. */
  readonly ports: readonly number[]
  readonly shared: SharedEngine
}

async function fleet(
  t: TestContext,
  threads: number,
  onDemand: Partial<OnDemandOptions> = {},
): Promise<Fleet> {
  const own = await site(t, onDemand)
  const shared = shareEngine(own.engine)
  t.after(() => shared.close())
  const ports = [await serveEcho(t, own.engine)]
  for (let i = 0; i < threads; i++) ports.push((await joinOnThread(t, shared)).port)
  return { ...own, shared, ports }
}

type Site = Awaited<ReturnType<typeof site>>

async function site(t: TestContext, onDemand: Partial<OnDemandOptions> = {}) {
  const store = new HostStore()
  const first = authority.issue()
  const hosts: ReloadEngineOptions['hosts'] = {
    onDemand: { source: store, allow: ['*.example'], timeoutMs: 10_000, ...onDemand },
  }
  const engine = await startEngine(t, { ...writePair(tempDir(t), first), hosts })
  const put = (name: string) => {
    const leaf = authority.issue({ names: [name] })
    store.put(name, leaf)
    return leaf
  }
  return { store, first, engine, put }
}
