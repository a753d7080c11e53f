import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { type HostRequest, SourceError } from '../../../src/main/api/source.js'
import { deferred } from '../../../src/main/base/deferred.js'
import { type HeldHost, type HostAnswer, wipeHost } from '../../../src/main/feed/accept-host.js'
import { OnDemandHosts } from '../../../src/main/feed/on-demand-hosts.js'
import type { Host } from '../../../src/main/generation/host.js'
import type { OnDemandLimits } from '../../../src/main/generation/resolved-options.js'
import { ProblemError } from '../../../src/workers/base/problem.js'
import type { Policy } from '../../../src/workers/protocol/material.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { certificateFacts } from '../../../support/engine/pass-reports.js'
import { servedHost } from '../../../support/engine/served-host.js'

test('a host in use is asked for at each sweep, and one that is not used is left alone', async () => {
  const { hosts, requests, clock } = setup()
  await hosts.hostFor('used.example')
  await hosts.hostFor('idle.example')
  await clock.advance(60_000)
  requests.length = 0
  for (let i = 0; i < 5; i++) {
    await clock.advance(30_000)
    await hosts.hostFor('used.example')
    await clock.advance(30_000)
  }
  assert.deepEqual(requests, Array(5).fill('used.example 1'))
})

test('a renewed host replaces the one in service, whose key is overwritten', async () => {
  const { hosts, clock, store, retired } = setup()
  const first = await hosts.hostFor('a.example')
  store.set('a.example', '2')
  await clock.advance(60_000)
  const second = hosts.peek('a.example')
  assert.notEqual(second, first)
  assert.deepEqual(retired, [first])
  assert.ok(first?.pair.key.every((byte) => byte === 0))
  assert.ok(second?.pair.key.every((byte) => byte === 7))
})

test('another process gets a host with its number, the answer `none`, or `unavailable` after a failure', async () => {
  const { hosts, store, fail, changes, requests, clock } = setup()
  const first = await hosts.share('A.example')
  assert.deepEqual(first, { host: hosts.peek('a.example'), number: 1 })
  assert.deepEqual(await hosts.share('a.example'), first)
  store.set('a.example', '2')
  hosts.changed('a.example')
  await turn()
  assert.deepEqual(await hosts.share('a.example'), { host: hosts.peek('a.example'), number: 2 })
  store.delete('b.example')
  for (let i = 0; i < 2; i++) assert.equal(await hosts.share('b.example'), 'none')
  assert.equal(await hosts.share('b.elsewhere'), 'none')
  fail(new SourceError('SOURCE_UNREACHABLE', 'no'))
  for (let i = 0; i < 2; i++) assert.equal(await hosts.share('c.example'), 'unavailable')
  store.set('d.example', 'bad')
  fail(null)
  for (let i = 0; i < 2; i++) assert.equal(await hosts.share('d.example'), 'unavailable')
  assert.deepEqual(requests.slice(2), ['b.example null', 'c.example null', 'd.example null'])
  store.delete('a.example')
  await clock.advance(60_000)
  assert.equal(await hosts.share('a.example'), 'none')
  assert.deepEqual(changes, ['a.example', 'a.example'])
  hosts.close()
  assert.equal(await hosts.share('e.example'), 'unavailable')
})

test('the answer `none` removes a host, and no failure does', async () => {
  const { hosts, clock, store, fail } = setup()
  const host = await hosts.hostFor('a.example')
  for (const code of ['SOURCE_UNREACHABLE', 'SOURCE_DENIED', 'SOURCE_INVALID', 'SOURCE_WITHDRAWN'] as const) {
    fail(new SourceError(code, 'no'))
    await clock.advance(200_000)
    assert.equal(await hosts.hostFor('A.example'), host)
    await clock.advance(200_000)
  }
  fail(null)
  await clock.advance(60_000)
  store.delete('a.example')
  hosts.changed('a.example')
  await turn()
  await clock.advance(60_000)
  assert.equal(hosts.peek('a.example'), undefined)
  assert.ok(host?.pair.key.every((byte) => byte === 0))
  assert.equal(await hosts.hostFor('a.example'), null)
})

test('material that is refused leaves the earlier host in service', async () => {
  const { hosts, store, settled } = setup()
  const host = await hosts.hostFor('a.example')
  store.set('a.example', 'bad')
  hosts.changed('a.example')
  await turn()
  assert.equal(hosts.peek('a.example'), host)
  assert.deepEqual(settled, ['a.example 1 served', 'a.example bad CERT_EXPIRED'])
})

test('a delivery with a lower revision than that in service is refused', async () => {
  const { hosts, store, settled, revisions } = setup()
  revisions.set('a.example', 5n)
  const host = await hosts.hostFor('a.example')
  store.set('a.example', '0')
  revisions.set('a.example', 4n)
  hosts.changed('a.example')
  await turn()
  assert.equal(hosts.peek('a.example'), host)
  assert.equal(settled.at(-1), 'a.example 0 SOURCE_OLDER')
})

test('an announced name is asked for at once, used or not, and an announced absent name at its next request', async () => {
  const { hosts, requests, store } = setup()
  await hosts.hostFor('a.example')
  store.delete('b.example')
  assert.equal(await hosts.hostFor('b.example'), null)
  assert.equal(await hosts.hostFor('b.example'), null)
  hosts.changed('a.example')
  store.set('b.example', '1')
  hosts.changed('b.example')
  hosts.changed('never-asked.example')
  await turn()
  assert.ok(await hosts.hostFor('b.example'))
  assert.deepEqual(requests, ['a.example null', 'b.example null', 'a.example 1', 'b.example null'])
})

test('an announcement while the name is being asked for is followed when the answer is there', async () => {
  const { hosts, requests, store } = setup()
  const first = hosts.hostFor('a.example')
  store.set('a.example', '2')
  for (let i = 0; i < 100; i++) hosts.changed('a.example')
  const before = await first
  await turn()
  assert.notEqual(hosts.peek('a.example'), before)
  store.delete('b.example')
  const absent = hosts.hostFor('b.example')
  store.set('b.example', '1')
  hosts.changed()
  assert.equal(await absent, null)
  assert.ok(await hosts.hostFor('b.example'))
  assert.deepEqual(requests, ['a.example null', 'a.example 1', 'b.example null', 'b.example null'])
})

test('a thousand announcements without a name are one sweep', async () => {
  const { hosts, requests, clock } = setup()
  await hosts.hostFor('a.example')
  await clock.advance(1500)
  await hosts.hostFor('a.example')
  requests.length = 0
  for (let i = 0; i < 1000; i++) hosts.changed()
  await clock.advance(1000)
  assert.deepEqual(requests, ['a.example 1'])
})

test('an announcement during an outage is followed when the source answers again', async () => {
  const { hosts, clock, store, fail } = setup()
  const host = await hosts.hostFor('a.example')
  for (let i = 0; i < 3; i++) await hosts.hostFor(`${i}.example`)
  fail(new SourceError('SOURCE_UNREACHABLE', 'no'))
  for (let i = 0; i < 3; i++) hosts.changed(`${i}.example`)
  await turn()
  store.set('a.example', '2')
  hosts.changed('a.example')
  await clock.advance(60_000)
  assert.equal(hosts.peek('a.example'), host)
  fail(null)
  await clock.advance(120_000)
  assert.notEqual(hosts.peek('a.example'), host)
})

test('a host that was idle is served at once and refreshed; only an expired one waits, and is served if no answer comes', async () => {
  const { hosts, clock, store, requests, fail } = setup()
  const first = await hosts.hostFor('a.example')
  await clock.advance(600_000)
  store.set('a.example', '2')
  requests.length = 0
  assert.equal(hosts.hostFor('a.example'), first)
  assert.equal(hosts.hostFor('a.example'), first)
  await turn()
  assert.deepEqual(requests, ['a.example 1'])
  const second = hosts.peek('a.example')
  assert.notEqual(second, first)
  await clock.advance(600_000)
  clock.setWall(2000 * 86_400_000)
  store.set('a.example', '3')
  const waiting = hosts.hostFor('a.example')
  assert.ok(waiting instanceof Promise)
  const third = await waiting
  assert.notEqual(third, second)
  await clock.advance(600_000)
  fail(new SourceError('SOURCE_UNREACHABLE', 'no'))
  assert.equal(await hosts.hostFor('a.example'), third)
})

test('handshakes for hundreds of hosts that were idle send eight queries at a time, and one for each host', async () => {
  const { hosts, requests, stall } = setup()
  const names = Array.from({ length: 300 }, (_, i) => `${i}.example`)
  for (const name of names) await hosts.hostFor(name)
  hosts.changed()
  requests.length = 0
  const resume = stall()
  for (const name of [...names, ...names]) assert.ok(hosts.hostFor(name) === hosts.peek(name))
  await turn()
  assert.equal(requests.length, 8)
  resume()
  while (hosts.status().pending > 0) await turn()
  assert.deepEqual(
    requests,
    names.map((name) => `${name} 1`),
  )
})

test('after a change of the policy, a host in use is delivered and judged again', async () => {
  const { hosts, requests, settled, clock, changePolicy } = setup()
  await hosts.hostFor('a.example')
  changePolicy()
  await clock.advance(30_000)
  await hosts.hostFor('a.example')
  await clock.advance(60_000)
  await hosts.hostFor('a.example')
  await clock.advance(30_000)
  assert.deepEqual(requests, ['a.example null', 'a.example null', 'a.example 1'])
  assert.deepEqual(settled, ['a.example 1 served', 'a.example 1 served'])
})

test('beyond `maxHosts` the least recently used host is removed, with its key', async () => {
  const { hosts, requests, retired } = setup({ maxHosts: 2 })
  const a = await hosts.hostFor('a.example')
  const b = await hosts.hostFor('b.example')
  await hosts.hostFor('a.example')
  await hosts.hostFor('c.example')
  assert.deepEqual(retired, [b])
  assert.ok(b?.pair.key.every((byte) => byte === 0))
  assert.equal(hosts.peek('a.example'), a)
  const { hosts: served, evicted } = hosts.status()
  assert.deepEqual([served, evicted], [2, 1])
  assert.ok(await hosts.hostFor('b.example'))
  assert.equal(requests.length, 4)
})

test('after close() the hosts stay, and nothing is asked or timed any more', async () => {
  const { hosts, clock, requests } = setup()
  const host = await hosts.hostFor('a.example')
  hosts.close()
  assert.equal(clock.pending, 0)
  assert.equal(hosts.hostFor('a.example'), host)
  assert.equal(await hosts.hostFor('b.example'), null)
  hosts.changed('a.example')
  await clock.advance(600_000)
  assert.equal(hosts.hostFor('a.example'), host)
  assert.equal(requests.length, 1)
})

/** A store that has every name in version 1, unless the test changes it. `bad` is refused. */
function setup(limits: Partial<OnDemandLimits> = {}) {
  const clock = fakeClock()
  const requests: string[] = []
  const settled: string[] = []
  const retired: Host[] = []
  const changes: string[] = []
  const revisions = new Map<string, bigint>()
  const absent = new Set<string>()
  const versions = new Map<string, string>()
  let failure: SourceError | null = null
  let stalled: Promise<void> | null = null
  let policy = {} as Policy
  const store = {
    set: (name: string, version: string) => versions.set(name, version) && absent.delete(name),
    delete: (name: string) => absent.add(name),
  }
  const readHost = async ({ name, version }: HostRequest): Promise<HostAnswer> => {
    requests.push(`${name} ${version}`)
    if (stalled) await stalled
    if (failure) throw failure
    if (absent.has(name)) return 'none'
    const current = versions.get(name) ?? '1'
    if (current === version) return 'unchanged'
    const revision = revisions.get(name) ?? null
    return { version: current, revision, set: { source: 'store', version: current, items: [] } }
  }
  const hosts = new OnDemandHosts(
    {
      source: { name: 'store', readHost },
      ...{ clock, logger: recordingLogger(), random: () => 0.5 },
      accept: (_: string, answer: unknown) => answer as HostAnswer,
      prepare: async (name: string, { version }: HeldHost) => {
        if (version === 'bad') throw new ProblemError('CERT_EXPIRED', 'expired')
        const pair = { chain: new Uint8Array(8), key: new Uint8Array(8).fill(7) }
        return servedHost(
          name,
          { ...certificateFacts(), names: [name], notAfter: '2030-01-01T00:00:00.000Z' },
          pair,
        )
      },
      policy: () => policy,
      settled: (name, version, problem) => settled.push(`${name} ${version} ${problem?.code ?? 'served'}`),
      retired: (host) => retired.push(host),
      wipe: wipeHost,
      changed: (name) => changes.push(name),
    },
    {
      ...{ allow: ['*.example'], maxPending: 100, timeoutMs: 3000, negativeSeconds: 60 },
      ...{ maxHosts: 10_000, refreshSeconds: 60, ...limits },
    },
  )
  const fail = (error: SourceError | null) => {
    failure = error
  }
  /** Answers wait until the returned function is called. */
  const stall = () => {
    const { promise, resolve } = deferred<void>()
    stalled = promise
    return () => {
      stalled = null
      resolve()
    }
  }
  const changePolicy = () => {
    policy = { ...policy }
  }
  return { hosts, clock, requests, store, settled, retired, changes, revisions, fail, stall, changePolicy }
}
