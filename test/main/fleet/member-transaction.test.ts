/* The keys of a generation that the fleet did not commit. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { systemClock } from '../../../src/main/base/clock.js'
import { internalsOf } from '../../../src/main/engine/internals.js'
import type { Link } from '../../../src/main/fleet/link.js'
import { MemberTransaction } from '../../../src/main/fleet/member-transaction.js'
import type { ToPrimary, WireHost } from '../../../src/main/fleet/messages.js'
import { wireHost, wireSnapshot } from '../../../src/main/fleet/wire.js'
import type { Snapshot } from '../../../src/main/generation/generation.js'
import { monotonicMs } from '../../../src/workers/base/monotonic.js'
import { eventually } from '../../../support/base/eventually.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'

for (const end of ['abort', 'revert'] as const) {
  test(`a member overwrites the keys of an abandoned generation, including those of hosts: ${end}`, async (t) => {
    const { transaction, answers, served, renewed } = await member(t)
    await stage(transaction, renewed)
    if (end === 'revert') assert.ok(transaction.commit(commit(2)))
    transaction[end]()
    await eventually('its keys are overwritten', () => renewed.keys.every(isWiped))
    assert.deepEqual(served.keys.map(isWiped), [false, false, false])
    assert.equal(transaction.report().generation, 1)
    assert.deepEqual(answers, ['staged', 'committed', 'staged', ...(end === 'revert' ? ['committed'] : [])])
  })
}

test('a member overwrites the keys of its previous generation, and none that it still serves', async (t) => {
  const { transaction, served, renewed } = await member(t)
  await stage(transaction, renewed)
  assert.ok(transaction.commit(commit(2)))
  assert.deepEqual(served.keys.map(isWiped), [false, false, false])
  transaction.settle()
  await eventually('the replaced keys are overwritten', () => served.keys.slice(0, 2).every(isWiped))
  assert.equal(isWiped(served.keys[2] as Uint8Array), false)
  assert.deepEqual(renewed.keys.map(isWiped), [false, false])
})

test('a member does not commit a generation that it has not staged', async (t) => {
  const { transaction, renewed } = await member(t)
  assert.equal(transaction.stagedNumber, 0)
  assert.equal(transaction.commit(commit(2)), null)
  await stage(transaction, renewed)
  assert.equal(transaction.stagedNumber, 2)
  transaction.abort()
  assert.equal(transaction.commit(commit(2)), null)
  assert.equal(transaction.report().generation, 1)
})

test('a member that reads a commit too late refuses it, and keeps its current generation', async (t) => {
  const { transaction, answers, renewed } = await member(t)
  await stage(transaction, renewed)
  assert.equal(transaction.commit({ number: 2, untilMs: monotonicMs() - 1 }), null)
  assert.deepEqual([transaction.report().generation, transaction.stagedNumber], [1, 0])
  assert.equal(answers.at(-1), 'refused')
})

test('a member commits the requested generation, and no other', async (t) => {
  const { transaction, answers, renewed } = await member(t)
  await stage(transaction, renewed)
  assert.equal(transaction.commit(commit(3)), null)
  assert.deepEqual([transaction.report().generation, answers.at(-1)], [1, 'refused'])
  assert.ok(transaction.commit(commit(2)))
})

test('a member that the fleet continues without drops its staged generation, and hosts that arrived for it', async (t) => {
  const { transaction, renewed } = await member(t)
  await stage(transaction, renewed)
  const [host] = renewed.hosts
  const spare = { ...host, pair: { chain: new Uint8Array(1), key: new Uint8Array([1]) } } as WireHost
  transaction.addHosts([spare])
  transaction.giveUp()
  assert.deepEqual([transaction.stagedNumber, isWiped(spare.pair.key as Uint8Array)], [0, true])
  assert.equal(transaction.report().generation, 1)
})

/** A member that serves a generation of an engine with two hosts; the next one renews the default pair and one host. */
async function member(t: TestContext) {
  const site = await hostSite(t, { 'a.example': {}, 'b.example': {} })
  const snapshot = () => internalsOf(site.engine)?.reloader.served as Snapshot
  const first = snapshot()
  const served = received(first, null)
  const answers: string[] = []
  const link = { asText: false, send: ({ kind }: ToPrimary) => void answers.push(kind) }
  const transaction = new MemberTransaction(link as Link<ToPrimary>, systemClock)
  t.after(() => transaction.close())
  await stage(transaction, served)
  assert.ok(transaction.commit(commit(1)))
  transaction.settle()
  site.put('a.example')
  writePair(site.dir, site.authority.issue())
  assertApplied(await site.engine.reload())
  return { transaction, answers, served, renewed: received(snapshot(), first) }
}

/** A commit that is in time. */
function commit(number: number) {
  return { number, untilMs: monotonicMs() + 60_000 }
}

interface Received {
  readonly wire: ReturnType<typeof wireSnapshot>
  readonly hosts: readonly WireHost[]
  /** Of the default certificate, then of each host. */
  readonly keys: readonly Uint8Array[]
}

/** A generation as a member receives it. */
function received(next: Snapshot, before: Snapshot | null): Received {
  const wire = wireSnapshot(next, before, [], false)
  const changed = [...next.hosts.byId.values()].filter((host) => before?.hosts.byId.get(host.id) !== host)
  const hosts = changed.map((host) => wireHost(host, false))
  const keys = [...wire.pairs, ...hosts.map(({ pair }) => pair)].map(({ key }) => key as Uint8Array)
  return { wire, hosts, keys }
}

async function stage(transaction: MemberTransaction, { wire, hosts }: Received): Promise<void> {
  transaction.addHosts(hosts)
  await transaction.stage({ kind: 'stage', snapshot: wire, welcome: null })
}

function isWiped(key: Uint8Array): boolean {
  return key.every((byte) => byte === 0)
}
