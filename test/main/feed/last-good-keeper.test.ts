import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'

import { acceptDelivery } from '../../../src/main/feed/accept-delivery.js'
import { createLastGoodKeeper, type LastGoodKeeper } from '../../../src/main/feed/last-good-keeper.js'
import { wipeHeld } from '../../../src/main/reload/material-feed.js'
import type { Problem } from '../../../src/workers/base/problem.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import {
  heldPair,
  keyBytes,
  type LastGoodSite,
  lastGoodSite,
  numberedDelivery,
  numberedKey,
} from '../../../support/feed/last-good-site.js'

test('of the deliveries that come during a write, only the newest is written', async (t) => {
  const site = lastGoodSite(t, true)
  const { keeper, written } = keeperOf(site)
  for (let number = 1; number <= 100; number++) void keeper.keep(numberedDelivery(number), false)
  await keeper.close()
  assert.ok(written.length < 20, written.join())
  assert.deepEqual([written[0], written.at(-1)], ['v1', 'v100'])
  assert.equal((await site.store().read())?.delivery.version, 'v100')
})

test('a delivery is copied before the promise resolves: then its buffers may be overwritten', async (t) => {
  const site = lastGoodSite(t, true)
  const { keeper } = keeperOf(site)
  const delivery = numberedDelivery(1)
  await keeper.keep(delivery, false)
  wipeHeld(delivery)
  await keeper.close()
  const kept = await site.store().read()
  assert.ok(kept)
  assert.deepEqual(Buffer.from(keyBytes(kept.delivery)), numberedKey(1))
})

test('a write that fails is reported once, repeated, and its recovery is reported', async (t) => {
  const site = lastGoodSite(t, true)
  const clock = fakeClock()
  const { keeper, written, problems, recoveries } = keeperOf(site, clock)
  mkdirSync(site.path('last-good'), { recursive: true })
  void keeper.keep(numberedDelivery(1), false)
  for (const delayMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    await eventually('the next attempt is planned', () => clock.pending === 1)
    await clock.advance(delayMs - 1)
    assert.equal(clock.pending, 1)
    await clock.advance(1)
    assert.equal(clock.pending, 0)
  }
  await eventually('the next attempt is planned', () => clock.pending === 1)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['LAST_GOOD_UNWRITTEN'],
  )
  assert.match(problems[0]?.message ?? '', /EISDIR/)
  await keeper.keep(numberedDelivery(2), false)
  rmSync(site.path('last-good'), { recursive: true })
  await eventually('a delivery is written', async () => {
    await clock.advance(60_000)
    return written.length > 0
  })
  assert.deepEqual([written, recoveries], [['v2'], [true]])
  assert.deepEqual(readdirSync(site.place.dir).sort(), ['last-good', 'last-good.seq'])
  void keeper.keep(numberedDelivery(3), false)
  await keeper.close()
  assert.deepEqual(recoveries, [true, false])
})

test('a delivery that is too large is reported, and not tried again', async (t) => {
  const site = lastGoodSite(t, false)
  const clock = fakeClock()
  const { keeper, problems } = keeperOf(site, clock)
  void keeper.keep(heldPair('v1', 1n, Buffer.alloc(64 * 1024 * 1024), Buffer.alloc(1)), false)
  await eventually('a problem', () => problems.length > 0)
  assert.match(problems[0]?.message ?? '', /more than \d+ bytes/)
  assert.equal(clock.pending, 0)
  await keeper.close()
})

test('a key file that is missing is the reason of a failed write', async (t) => {
  const site = lastGoodSite(t, true)
  const { keeper, problems } = keeperOf(site)
  rmSync(site.path('key'))
  void keeper.keep(numberedDelivery(1), false)
  await keeper.close()
  assert.match(problems[0]?.message ?? '', /key file .* cannot be read: ENOENT/)
})

test('close ends the writes that are due, and nothing is kept afterwards', async (t) => {
  const site = lastGoodSite(t, false)
  const { keeper, written } = keeperOf(site)
  void keeper.keep(numberedDelivery(1), false)
  void keeper.keep(numberedDelivery(2), false)
  await keeper.close()
  void keeper.keep(numberedDelivery(3), false)
  await keeper.close()
  assert.equal(written.at(-1), 'v2')
})

test('hosts stay with a delivery that states nothing about them: queued, on disk, and after a failed write', async (t) => {
  const site = lastGoodSite(t, true)
  const withHosts = await acceptDelivery(
    {
      version: 'v1',
      pairs: [{ bundle: 'b1' }],
      hosts: [{ name: 'a.example', version: 'h1', bundle: 'host' }],
    },
    'test',
    { maxFileBytes: 100, maxTrustBytes: 100 },
  )
  const hostsKept = async () => {
    const delivery = (await site.store().read())?.delivery
    return [delivery?.version, delivery?.hosts?.map(({ name }) => name)]
  }
  const queued = keeperOf(site)
  void queued.keeper.keep(numberedDelivery(0), false)
  void queued.keeper.keep(withHosts, false)
  void queued.keeper.keep(numberedDelivery(2), true)
  await queued.keeper.close()
  assert.deepEqual(queued.written, ['v0', 'v2'])
  assert.deepEqual(await hostsKept(), ['v2', ['a.example']])
  const next = keeperOf(site)
  void next.keeper.keep(numberedDelivery(3), true)
  await next.keeper.close()
  assert.deepEqual(await hostsKept(), ['v3', ['a.example']])
  const failing = keeperOf(site)
  rmSync(site.path('last-good'))
  mkdirSync(site.path('last-good'))
  void failing.keeper.keep(withHosts, false)
  void failing.keeper.keep(numberedDelivery(4), true)
  await eventually('a failure', () => failing.problems.length > 0)
  rmSync(site.path('last-good'), { recursive: true })
  void failing.keeper.keep(numberedDelivery(5), true)
  await failing.keeper.close()
  assert.deepEqual(await hostsKept(), ['v5', ['a.example']])
  const without = keeperOf(site)
  void without.keeper.keep(numberedDelivery(6), false)
  await without.keeper.close()
  assert.deepEqual(await hostsKept(), ['v6', undefined])
})

test('hosts stay with a delivery that is copied while the engine closes and the write before it fails', async (t) => {
  const site = lastGoodSite(t, false)
  mkdirSync(site.path('last-good'), { recursive: true, mode: 0o700 })
  const { keeper, problems } = keeperOf(site, fakeClock(), () =>
    rmSync(site.path('last-good'), { recursive: true }),
  )
  const limits = { maxFileBytes: 10_000, maxTrustBytes: 100_000_000 }
  const hosts = [{ name: 'a.example', version: 'h1', bundle: 'host' }]
  const first = await acceptDelivery({ version: 'v1', pairs: [{ bundle: 'b1' }], hosts }, 'test', limits)
  // Its copy takes many turns of the event loop.
  const ca = Array.from({ length: 4096 }, () => Buffer.alloc(8_000))
  const second = await acceptDelivery({ version: 'v2', pairs: [{ bundle: 'b2' }], ca }, 'test', limits)
  void keeper.keep(first, false)
  void keeper.keep(second, true)
  await keeper.close()
  assert.equal(problems.length, 1)
  const delivery = (await site.store().read())?.delivery
  assert.deepEqual([delivery?.version, delivery?.hosts?.map(({ name }) => name)], ['v2', ['a.example']])
})

interface Kept {
  readonly keeper: LastGoodKeeper
  readonly written: string[]
  readonly recoveries: boolean[]
  readonly problems: Problem[]
}

function keeperOf(site: LastGoodSite, clock: FakeClock = fakeClock(), failed = () => {}): Kept {
  const written: string[] = []
  const recoveries: boolean[] = []
  const problems: Problem[] = []
  const keeper = createLastGoodKeeper({
    ...site.place,
    clock,
    onFailed(problem) {
      problems.push(problem)
      failed()
    },
    onWritten: (version, recovered) => {
      written.push(version)
      recoveries.push(recovered)
    },
  })
  return { keeper, written, recoveries, problems }
}
