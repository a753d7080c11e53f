import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import tls from 'node:tls'

import { buildContext, type ContextPlan } from '../../../src/main/generation/build-context.js'
import { closeContext, pointAt } from '../../../src/main/generation/native-context.js'
import { runAtOnce } from '../../../src/main/generation/slices.js'
import { SpareContexts } from '../../../src/main/generation/spare-contexts.js'
import type { UsedContext } from '../../../src/main/generation/used-context.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { contextPlan, preparedPair } from '../../../support/engine/context-plans.js'
import { type Authority, createAuthority, manyAuthorities } from '../../../support/material/certificates.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'

const authority = createAuthority()
const leaf = authority.issue()
const A_SECOND = 1000

test('a spare is prepared in the background, one step at a time', async () => {
  const { clock, shelf } = shelfWithClock()
  shelf.prepare([planOf(manyAuthorities(40))])
  assert.equal(clock.pending, 1)
  let steps = 0
  for (; clock.pending > 0; steps++) await clock.advance(2)
  assert.ok(steps >= 10, `${steps} steps`)
})

test('a spare that is complete, half complete or not begun serves like any context, once it has its certificate', async (t) => {
  const client = authority.issue()
  for (const ms of [0, 4, A_SECOND]) {
    const { clock, shelf } = shelfWithClock()
    const plan = planOf([...manyAuthorities(20), authority])
    shelf.prepare([plan])
    await clock.advance(ms)
    const build = shelf.take(plan)
    assert.ok(build)
    const context = runAtOnce(build)
    const server = createEcho({ requestCert: true })
    pointAt(server, context)
    const port = await listen(t, server)
    const seen = await handshake({ port, cert: client.certPem, key: client.keyPem, confirm: true })
    assert.equal(seen.fingerprint256, leaf.fingerprint256)
    await assertRefused({ port })
  }
})

test('a spare is returned once', async () => {
  const { clock, shelf } = shelfWithClock()
  const plan = planOf([authority])
  shelf.prepare([plan])
  await clock.advance(A_SECOND)
  assert.ok(shelf.take(plan))
  assert.equal(shelf.take(plan), null)
})

test('a spare fits a plan with the same trust, options, ticket keys and parameters, and no other', () => {
  const plan = planOf([authority])
  const session = plan.session as NonNullable<ContextPlan['session']>
  const same = { ...plan, material: { ...plan.material, pairs: [preparedPair(authority.issue())] } }
  const others: ContextPlan[] = [
    { ...plan, options: {} },
    { ...plan, material: { ...plan.material, trust: { ...plan.material.trust } } },
    { ...plan, material: { ...plan.material, dhparam: Uint8Array.of(1) } },
    { ...plan, session: { ...session, sessionIdContext: 'y'.repeat(32) } },
    { ...plan, session: { ...session, ticketKeys: Buffer.alloc(48, 2) } },
    { ...plan, session: null },
  ]
  for (const other of others) {
    const { shelf } = shelfWithClock()
    shelf.prepare([plan])
    assert.equal(shelf.take(other), null)
    assert.ok(shelf.take(same))
  }
})

test('spares that still fit are kept, and those that fit no plan are removed', async () => {
  const { clock, shelf } = shelfWithClock()
  const [plan, other] = [planOf([authority]), planOf([authority])]
  shelf.prepare([plan])
  await clock.advance(A_SECOND)
  shelf.prepare([plan, other])
  assert.equal(clock.pending, 1)
  await clock.advance(A_SECOND)
  shelf.prepare([other])
  assert.equal(shelf.take(plan), null)
  assert.ok(shelf.take(other))
})

test('cleared spares are gone, and none are scheduled', async () => {
  const { clock, shelf } = shelfWithClock()
  const plan = planOf([authority])
  shelf.prepare([plan, planOf(manyAuthorities(40))])
  await clock.advance(4)
  shelf.clear()
  assert.deepEqual([clock.pending, shelf.take(plan)], [0, null])
})

test('a spare that cannot be built is dropped without harm, and those behind it are built', async () => {
  const { clock, shelf } = shelfWithClock()
  const bad = planOf([authority])
  const broken = { ...bad, options: { ciphers: 'NO-SUCH-CIPHER' } }
  const good = planOf([authority])
  shelf.prepare([broken, good])
  await clock.advance(A_SECOND)
  assert.equal(shelf.take(broken), null)
  const context = runAtOnce(shelf.take(good) as NonNullable<ReturnType<SpareContexts['take']>>)
  assert.ok(context instanceof tls.createSecureContext().constructor)
  closeContext(context)
})

test('a context that has served is taken before a spare, once, and keeps its trust', async (t) => {
  const { shelf } = shelfWithClock()
  const plan = planOf([...manyAuthorities(20), authority])
  const context = runAtOnce(buildContext(plan))
  shelf.prepare([plan], [{ context, plan, keyTypes: KEY_TYPES }])
  const renewed = authority.issue()
  const next = { ...plan, material: { ...plan.material, pairs: [preparedPair(renewed)] } }
  const build = shelf.take(next, KEY_TYPES)
  assert.equal(runAtOnce(build as NonNullable<typeof build>), context)
  assert.notEqual(runAtOnce(shelf.take(next, KEY_TYPES) as NonNullable<typeof build>), context)
  const server = createEcho({ requestCert: true })
  pointAt(server, context)
  const port = await listen(t, server)
  const client = authority.issue()
  const seen = await handshake({ port, cert: client.certPem, key: client.keyPem, confirm: true })
  assert.equal(seen.fingerprint256, renewed.fingerprint256)
  await assertRefused({ port })
})

test('if a server staples OCSP responses, no context that has served is reused', () => {
  const { shelf } = shelfWithClock()
  const plan = planOf([authority])
  const context = runAtOnce(buildContext(plan))
  shelf.prepare([plan], [{ context, plan, keyTypes: KEY_TYPES }])
  const build = shelf.take(plan)
  assert.notEqual(runAtOnce(build as NonNullable<typeof build>), context)
})

test('the last context of each plan that has served is kept, and the others are freed', async (t) => {
  const { shelf } = shelfWithClock()
  const [plan, other] = [planOf([authority]), planOf([authority])]
  const use = (plan: ContextPlan): UsedContext => ({
    ...{ plan, keyTypes: KEY_TYPES },
    context: runAtOnce(buildContext(plan)),
  })
  const [first, second, third] = [use(plan), use(plan), use(other)]
  const freed = [first, second, third].map(({ context }) => {
    const close = t.mock.method(context.context as unknown as { close(): void }, 'close')
    return () => close.mock.callCount()
  })
  shelf.prepare([plan], [first])
  shelf.prepare([plan], [second, third])
  for (let i = 0; i < 5; i++) await turn()
  assert.deepEqual(
    freed.map((times) => times()),
    [1, 0, 1],
  )
  shelf.clear()
  for (let i = 0; i < 5; i++) await turn()
  assert.deepEqual(
    freed.map((times) => times()),
    [1, 1, 1],
  )
})

const KEY_TYPES = ['EC prime256v1']

function shelfWithClock() {
  const clock = fakeClock()
  return { clock, shelf: new SpareContexts(clock) }
}

function planOf(anchors: readonly Authority[]): ContextPlan {
  return contextPlan({ pairs: [leaf], anchors })
}
