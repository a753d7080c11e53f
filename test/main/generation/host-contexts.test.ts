import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ContextPlan } from '../../../src/main/generation/build-context.js'
import type { Host } from '../../../src/main/generation/host.js'
import { HostContexts } from '../../../src/main/generation/host-contexts.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { contextPlan, preparedPair } from '../../../support/engine/context-plans.js'
import { certificateFacts } from '../../../support/engine/pass-reports.js'
import { servedHost } from '../../../support/engine/served-host.js'
import { createAuthority } from '../../../support/material/certificates.js'

const authority = createAuthority()
const leaf = authority.issue()
const base = contextPlan({ pairs: [leaf] })

test('clients that request a host at the same time share one build, and later ones its context', async () => {
  const { contexts } = cache(2)
  const a = host('a')
  const [first, second] = await Promise.all([
    contexts.contextOf(a, planOf(a)),
    contexts.contextOf(a, planOf(a)),
  ])
  assert.equal(first, second)
  assert.equal(await contexts.contextOf(a, planOf(a)), first)
})

test('a renewed host, changed trust and changed options each get a new context', async () => {
  const { contexts } = cache(2)
  const a = host('a')
  const first = await contexts.contextOf(a, planOf(a))
  const renewed = host('a')
  const second = await contexts.contextOf(renewed, planOf(renewed))
  const trusting = { ...planOf(renewed), material: { ...base.material, trust: { ...base.material.trust } } }
  const third = await contexts.contextOf(renewed, trusting)
  const fourth = await contexts.contextOf(renewed, { ...trusting, options: {} })
  assert.equal(new Set([first, second, third, fourth]).size, 4)
  assert.equal(contexts.size, 1)
})

test('the least recently used context is evicted when the cache is full', async () => {
  const { contexts } = cache(2)
  const [a, b, c] = [host('a'), host('b'), host('c')]
  const ask = (one: Host) => contexts.contextOf(one, planOf(one))
  const [first] = [await ask(a), await ask(b)]
  assert.equal(await ask(a), first)
  await ask(c)
  assert.equal(contexts.size, 2)
  assert.equal(await ask(a), first)
})

test('an evicted context is freed only when no handshake can use it any more', async () => {
  const { contexts, clock } = cache(1)
  const [a, b] = [host('a'), host('b')]
  const evicted = await contexts.contextOf(a, planOf(a))
  let closed = 0
  const { context } = evicted as unknown as { context: { close(): void } }
  const close = context.close.bind(context)
  context.close = () => {
    closed++
    close()
  }
  await contexts.contextOf(b, planOf(b))
  await clock.advance(149_000)
  assert.equal(closed, 0)
  await clock.advance(2_000)
  assert.equal(closed, 1)
  assert.equal(clock.pending, 0)
})

test('a failed build is tried again for the next client', async () => {
  const { contexts } = cache(2)
  const broken = { ...host('a'), pair: { chain: preparedPair(leaf).chain, key: new Uint8Array(3) } }
  await assert.rejects(contexts.contextOf(broken, planOf(broken)))
  await assert.rejects(contexts.contextOf(broken, planOf(broken)))
  assert.equal(contexts.size, 0)
  const mended = host('a')
  assert.ok(await contexts.contextOf(mended, planOf(mended)))
})

function cache(limit: number) {
  const clock = fakeClock()
  return { clock, contexts: new HostContexts(limit, clock) }
}

function host(id: string): Host {
  return servedHost(id, certificateFacts({ names: [id] }), preparedPair(leaf))
}

function planOf({ pair }: Host): ContextPlan {
  return { ...base, material: { ...base.material, pairs: [pair] } }
}
