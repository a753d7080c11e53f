import type { BenchResult, Row } from '../../bench/result.js'
import { figureOf } from '../../bench/statistics.js'

/** A result of the bench with a row or two for every chart; the figures are invented. */
export function benchResult(): BenchResult {
  const techniques = ['certswap', 'naive']
  const each = (scenarios: readonly string[], figures: Record<string, number>): Row[] =>
    scenarios.flatMap((scenario) =>
      techniques.map((variant, i) => row(scenario, variant, figures, 1 + i * 20)),
    )
  const points = Array.from({ length: 50 }, (_, i) => [i * 40, 1 + (i % 7)] as const)
  const timeline = { points, reloadsAtMs: [500, 1500] }
  const underLoad = { idleHandshakeP99Ms: 3, at1HandshakeP99Ms: 4 }
  const scopes = {
    gap: each(['EC pair, 1 server', 'EC pair, 4 servers'], { gapMs: 1, controlGapMs: 0.2, ownHeldMs: 0.5 }),
    wire: each(['EC pair: leaf renewed'], { seenMs: 9, prepareMs: 6, stageMs: 1, commitMs: 0.1 }),
    peers: each(['EC pair, 500 CAs'], underLoad).map((one) => ({ ...one, timeline })),
    memory: [
      { ...row('EC pair', 'certswap', { rssRatio: 1 }), curve: [[0, 90] as const, [100, 91] as const] },
    ],
    curves: each(['CAs = 1', 'CAs = 100', 'servers = 1', 'servers = 16'], { ownHeldMs: 1 }),
    hosts: each(['hosts = 1', 'hosts = 1000'], { ownHeldMs: 1 }),
  }
  return {
    format: 1,
    ...{ startedAt: '2026-11-20T00:00:00.000Z', tookSeconds: 60, quick: true, rounds: 2 },
    machine: {
      ...{ cpu: 'a processor <of> some & kind', cores: 2, memoryGiB: 8, system: 'Linux', loadAverage: 0.1 },
      ...{ node: '20.0.0', openssl: '3.0.0', loadNode: '20.0.0' },
    },
    scopes: Object.entries(scopes).map(([name, rows]) => ({
      name,
      title: name,
      columns: { gapMs: 'gap' },
      rows,
    })),
  }
}

/** Two rounds with different results. */
function row(scenario: string, variant: string, figures: Record<string, number>, factor = 1): Row {
  const values = (value: number) => figureOf([value * factor, value * factor * 1.5])
  const all = Object.entries(figures).map(([name, value]) => [name, values(value)])
  return { scenario, variant, figures: Object.fromEntries(all) }
}
