import assert from 'node:assert/strict'
import { test } from 'node:test'

import { acceptDelivery } from '../../../src/main/feed/accept-delivery.js'
import { Backoff } from '../../../src/main/feed/backoff.js'
import { Pushes } from '../../../src/main/feed/pushes.js'
import { sourceFailure } from '../../../src/main/feed/source-problem.js'
import { SourceError } from '../../../src/main/index.js'
import { wipeHeld } from '../../../src/main/reload/material-feed.js'
import { fakeClock } from '../../../support/base/fake-clock.js'

const limits = { maxFileBytes: 1024, maxTrustBytes: 4096 }

test('a delivery is copied: later changes of the buffers of the source have no effect', async () => {
  const [cert, key] = [Buffer.from('cert'), Buffer.from('key')]
  const held = await acceptDelivery({ version: '1', pairs: [{ cert, key }] }, 'own', limits)
  cert.fill(0)
  key.fill(0)
  assert.deepEqual(
    held.set.items.map(({ role, id, bytes }) => [role, id, Buffer.from(bytes).toString()]),
    [
      ['cert', 'own:cert', 'cert'],
      ['key', 'own:key', 'key'],
    ],
  )
})

test('the copies are overwritten after the pass, those of hosts too', async () => {
  const pair = { cert: 'cert', key: 'key' }
  const hosts = [{ name: 'A.example', version: '1', ...pair }]
  const held = await acceptDelivery({ version: '1', pairs: [pair], hosts }, 'own', limits)
  const host = held.hosts?.sets.get('a.example')
  assert.equal(host?.items[1]?.id, 'own:hosts/a.example/key')
  wipeHeld(held)
  for (const { bytes } of [...held.set.items, ...(host?.items ?? [])])
    assert.ok(bytes.every((byte) => byte === 0))
})

test('each part of a delivery has its own id', async () => {
  const delivery = {
    version: '1',
    revision: 2n ** 64n,
    pairs: [{ bundle: 'x' }, { cert: 'x', key: 'x' }],
    ca: ['x', 'x'],
    crl: ['x'],
  }
  const held = await acceptDelivery(delivery, 'own', limits)
  assert.equal(held.revision, 2n ** 64n)
  assert.deepEqual(
    held.set.items.map(({ role, id }) => `${role} ${id}`),
    [
      'cert own:bundle',
      'key own:bundle',
      'cert own:cert[2]',
      'key own:key[2]',
      'ca own:ca',
      'ca own:ca[2]',
      'crl own:crl',
    ],
  )
})

test('a delivery that is too large, or names a host twice or wrongly, is refused without quoting it', async () => {
  const pair = { cert: 'SECRET', key: 'SECRET' }
  const host = { name: 'a.example', version: '1', ...pair }
  const wrong: unknown[] = [
    { version: '1', pairs: [{ bundle: 'SECRET'.repeat(1000) }] },
    { version: '1', pairs: Array.from({ length: 9 }, () => pair) },
    { version: '1', pairs: [pair], ca: ['SECRET'.repeat(1000)] },
    { version: '1', pairs: [pair], hosts: [host, { ...host, name: 'A.EXAMPLE.' }] },
    { version: '1', pairs: [pair], hosts: [{ ...host, name: '192.0.2.1' }] },
    { version: '1', pairs: [pair], hosts: [{ ...host, version: '' }] },
    { version: '1', pairs: [pair], hosts: 'SECRET' },
    { version: 'é', pairs: [pair] },
    { version: '1', revision: -1, pairs: [pair] },
    { version: '1', revision: Number.NaN, pairs: [pair] },
  ]
  for (const delivery of wrong) {
    await assert.rejects(acceptDelivery(delivery, 'own', limits), (error: SourceError) => {
      assert.equal(error.code, 'SOURCE_INVALID')
      assert.ok(!error.message.includes('SECRET'), error.message)
      return true
    })
  }
})

test('the first push starts a pass at once, and all others within a second one more', async () => {
  const clock = fakeClock()
  let passes = 0
  const pushes = new Pushes(clock, () => passes++)
  for (let i = 0; i < 1000; i++) {
    pushes.push()
    await clock.advance(1)
  }
  assert.equal(passes, 2)
  await clock.advance(5000)
  assert.equal(passes, 2)
  pushes.push()
  assert.equal(passes, 3)
  pushes.push()
  pushes.close()
  await clock.advance(5000)
  assert.equal(passes, 3)
  assert.equal(clock.pending, 0)
})

test('delays double up to a minute, with jitter of up to a half, and begin again after a success', () => {
  for (const random of [0, 0.999]) {
    const backoff = new Backoff(() => random)
    const delays = Array.from({ length: 9 }, () => {
      backoff.failed()
      return backoff.delayMs as number
    })
    const full = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000)
    delays.forEach((delay, i) => {
      assert.ok(Math.abs(delay - (full[i] as number) * (0.5 + random / 2)) < 1)
    })
    backoff.succeeded()
    assert.equal(backoff.delayMs, null)
    backoff.failed()
    assert.ok(Number(backoff.delayMs) <= 1000)
  }
})

test('the delay that a source asks for is bounded, and a nonsensical one is ignored', () => {
  const delayOf = (retryAfterMs: number) =>
    sourceFailure('own', new SourceError('SOURCE_UNREACHABLE', 'busy', { retryAfterMs })).retryAfterMs
  assert.deepEqual([1000, 1e12, -5, Number.NaN].map(delayOf), [1000, 3_600_000, 0, 0])
})

test('an error of another copy of the package keeps its code, and a long or unprintable message is made safe', () => {
  const foreign = Object.assign(new Error(`bad\u001b[2J${'x'.repeat(1000)}`), {
    name: 'SourceError',
    code: 'SOURCE_DENIED',
  })
  const { problem } = sourceFailure('own', foreign)
  assert.equal(problem.code, 'SOURCE_DENIED')
  assert.ok(problem.message.length < 300)
  assert.ok(!problem.message.includes('\u001b'))
})
