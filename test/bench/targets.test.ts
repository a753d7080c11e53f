import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ATTACKS } from '../../bench/load/hostile-clients.js'
import { LARGE_BUNDLE } from '../../bench/material/shapes.js'
import { CONTROL_VARIANT } from '../../bench/scopes/control.js'
import { wireScenario } from '../../bench/scopes/wire.js'
import { figureOf } from '../../bench/statistics.js'
import { judge } from '../../bench/targets.js'
import { benchResult } from './bench-result.js'

test('the p99 of few handshakes is not judged, and that of many by the worst attack', () => {
  assert.deepEqual(hostileVerdict(4_000), { worst: undefined, met: false })
  assert.deepEqual(hostileVerdict(16_000), { worst: 1.2, met: false })
})

test('a new leaf on the wire is compared with HAProxy in the same run, whatever its version; without HAProxy it is not judged', () => {
  const [slow, fast] = [
    wireVerdict({ seenMs: 17, haproxyMs: 20 }),
    wireVerdict({ seenMs: 11, haproxyMs: 12 }),
  ]
  assert.deepEqual(slow, { worst: 0.85, met: true })
  assert.deepEqual(fast, { worst: 11 / 12, met: false })
  assert.deepEqual(wireVerdict({ seenMs: 11 }), { worst: undefined, met: false })
})

/** The verdict on a run in which this engine and HAProxy showed the leaf after these delays. */
function wireVerdict({ seenMs, haproxyMs }: { seenMs: number; haproxyMs?: number }) {
  const row = (variant: string, ms: number) => ({
    scenario: wireScenario(LARGE_BUNDLE, false),
    variant,
    figures: { seenMs: figureOf([ms]) },
  })
  const peers = haproxyMs === undefined ? [] : [row('HAProxy 2.6.12 (commit ssl cert)', haproxyMs)]
  const rows = [row('certswap', seenMs), row('naive', 100), ...peers]
  const result = { ...benchResult(), scopes: [{ name: 'wire', title: '', columns: {}, rows }] }
  const verdict = judge(result).find(({ target: { title } }) => title.includes('over HAProxy'))
  return { worst: verdict?.worst, met: verdict?.met }
}

/** The verdict on a run in which one attack cost a fifth. */
function hostileVerdict(handshakes: number) {
  const rows = ATTACKS.map(({ title }, i) => ({
    scenario: title,
    variant: CONTROL_VARIANT,
    figures: { handshakes: figureOf([handshakes]), handshakeP99Ratio: figureOf([i === 2 ? 1.2 : 1]) },
  }))
  const result = { ...benchResult(), scopes: [{ name: 'control', title: '', columns: {}, rows }] }
  const verdict = judge(result).find(({ target: { title } }) => title.includes('hostile clients'))
  return { worst: verdict?.worst, met: verdict?.met }
}
