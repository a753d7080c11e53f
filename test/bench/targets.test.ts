import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ATTACKS } from '../../bench/load/hostile-clients.js'
import { CONTROL_VARIANT } from '../../bench/scopes/control.js'
import { figureOf } from '../../bench/statistics.js'
import { judge } from '../../bench/targets.js'
import { benchResult } from '../support/bench-result.js'

test('a p99 of few handshakes is not judged, and that of many by the worst attack', () => {
  assert.deepEqual(hostileVerdict(4_000), { worst: undefined, met: false })
  assert.deepEqual(hostileVerdict(16_000), { worst: 1.2, met: false })
})

/** What is said of a run in which one attack cost a fifth. */
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
