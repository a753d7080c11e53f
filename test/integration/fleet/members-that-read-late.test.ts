/*
 * A member that reads its messages late, because it was suspended, still serves the generations in order, and none that the
 * fleet has abandoned.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'

import { type SharedEngine, type ShareOptions, shareEngine } from '../../../src/main/fleet/index.js'
import { openLink, threadChannel } from '../../../src/main/fleet/link.js'
import { LinkedMemberEngine } from '../../../src/main/fleet/linked-member-engine.js'
import type { ReloadResult } from '../../../src/main/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { assertApplied } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'

const TIMEOUT_MS = 500

test('a commit that is read after the fleet continued without the member is not carried out', async (t) => {
  const { site, member, applied, hold, release, renew } = await fleet(t, { patience: 1 })
  hold('commit')
  renew()
  const { outcome, members } = await site.engine.reload()
  assert.deepEqual([outcome, members.map((one) => one.outcome)], ['applied', ['evicted']])
  renew()
  assertApplied(await site.engine.reload())
  const evictions: number[] = []
  member.on('evicted', ({ generation }) => evictions.push(generation))
  release()
  await eventually('it has joined again', () => member.status().state === 'serving' && applied.length > 0)
  assert.deepEqual([evictions, applied], [[1], [3]])
})

test('a commit that is read after the fleet rolled it back is not carried out either, and the next one is', async (t) => {
  const { site, applied, hold, release, renew } = await fleet(t, { patience: 5 })
  hold('commit')
  renew()
  assert.equal((await site.engine.reload()).outcome, 'rejected')
  release()
  assertApplied(await site.engine.reload())
  assert.deepEqual(applied, [3])
})

test('a member that was suspended during several renewals of hosts serves the newest certificate of each', async (t) => {
  for (const patience of [1, 9]) {
    const { site, member, hold, release, renew } = await fleet(t, { patience })
    hold('hosts')
    for (const name of ['a.example', 'b.example', 'a.example']) {
      renew()
      site.put(name)
      await site.engine.reload()
    }
    release()
    await eventually('it follows', () => member.status().state === 'serving')
    await site.engine.reload()
    const current = () => site.engine.status().generation.number
    await eventually('it has caught up', () => member.status().generation.number === current())
    for (const name of ['a.example', 'b.example']) {
      assert.equal(member.servingFor(name)?.fingerprint256, site.engine.servingFor(name)?.fingerprint256)
    }
  }
})

test('an answer that arrived while the primary was suspended is not late', async (t) => {
  const timeoutMs = 800
  const { site, hold, onHeld, release, renew } = await fleet(t, { patience: 1, timeoutMs })
  hold('staged')
  onHeld(() => {
    // After this, overdue timers fire before any message is read.
    setImmediate(() => {
      release()
      suspend(timeoutMs)
    })
  })
  renew()
  assertNoneLate(await site.engine.reload())
})

test('a member that was suspended together with the primary has time to answer afterwards', async (t) => {
  const timeoutMs = 1600
  const { site, hold, onHeld, release, renew } = await fleet(t, { patience: 1, timeoutMs })
  hold('stage')
  onHeld(() => {
    setImmediate(() => {
      suspend(1.5 * timeoutMs)
      setTimeout(release)
    })
  })
  renew()
  assertNoneLate(await site.engine.reload())
})

function assertNoneLate({ outcome, members }: ReloadResult): void {
  assert.deepEqual([outcome, members.map((one) => one.outcome)], ['applied', ['applied']])
}

/** Blocks this thread, and with it the primary and the member. */
function suspend(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** An engine with two hosts, and a member that reads its messages when the test lets it. */
async function fleet(t: TestContext, options: ShareOptions) {
  const site = await hostSite(t, { 'a.example': {}, 'b.example': {} })
  const shared = shareEngine(site.engine, { timeoutMs: TIMEOUT_MS, ...options })
  t.after(() => shared.close())
  const { link, hold, onHeld, release } = slowLink(t, shared)
  const member = await new LinkedMemberEngine(link, recordingLogger()).join(process.pid, 60_000)
  t.after(() => member.close())
  const applied: number[] = []
  member.on('applied', ({ generation }) => applied.push(generation.number))
  const renew = () => void writePair(site.dir, site.authority.issue())
  return { site, member, applied, hold, onHeld, release, renew }
}

/** A link whose messages can be held back, in both directions, from the first one of a kind on. */
function slowLink(t: TestContext, shared: SharedEngine) {
  const [near, far] = [new MessageChannel(), new MessageChannel()]
  t.after(() => {
    near.port1.close()
    far.port1.close()
  })
  let from: string | null = null
  let held: (() => void)[] | null = null
  let heldFirst = () => {}
  const pass = (envelope: { message: { kind: string } }, to: MessagePort) => {
    if (envelope.message.kind === from && !held) {
      held = []
      heldFirst()
    }
    const post = () => to.postMessage(envelope)
    if (held) held.push(post)
    else post()
  }
  near.port2.on('message', (envelope) => {
    pass(envelope, far.port1)
  })
  far.port1.on('message', (envelope) => pass(envelope, near.port2))
  shared.add(near.port1)
  return {
    link: openLink<never>(threadChannel(far.port2), 'default'),
    hold(kind: string) {
      from = kind
    },
    /** Called when the first message is held back. */
    onHeld(listener: () => void) {
      heldFirst = listener
    },
    release() {
      from = null
      for (const post of held ?? []) post()
      held = null
    },
  }
}
