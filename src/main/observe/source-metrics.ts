import { Counter, Gauge, type Registry } from 'prom-client'

import type { ReloadEngine } from '../api/reload-engine.js'
import type { SourceStatus } from '../api/status.js'

/** The metric families of a source, by name. `docs/metrics.md` explains each. */
export type SourceFamilies = Readonly<Record<string, Gauge | Counter>>

/** Registers the metrics of the engine's source, which read its status at each scrape. Empty without a source. */
export function followSource(engine: ReloadEngine, registry: Registry): SourceFamilies {
  const { source } = engine.status()
  if (source === null) return {}
  const labels = { source: source.name }
  const now = () => engine.status().source as SourceStatus
  const gauge = (name: string, help: string, read: (status: SourceStatus) => number) =>
    new Gauge({
      name: `certswap_source_${name}`,
      help,
      labelNames: ['source'],
      registers: [registry],
      collect() {
        this.set(labels, read(now()))
      },
    })
  return {
    up: gauge('up', 'Whether the last attempt to read the source gave usable material.', ({ failingSince }) =>
      Number(failingSince === null),
    ),
    lastSuccess: gauge(
      'last_success_timestamp_seconds',
      'Time of the last answer of the source with usable material, or that nothing changed; 0 before the first.',
      ({ lastSuccess }) => secondsOf(lastSuccess),
    ),
    servedSince: gauge(
      'served_since_timestamp_seconds',
      'Time since which the current version of the source has been in service; 0 after a rollback.',
      ({ servedSince }) => secondsOf(servedSince),
    ),
    stale: gauge(
      'stale',
      'Whether the served material was kept from an earlier run, and the source has not answered yet.',
      ({ stale }) => Number(stale),
    ),
    pushUp: gauge(
      'push_up',
      'Whether the source can announce changes; otherwise only the timer finds them. 1 for a source that does not state it.',
      ({ pushOutage }) => Number(pushOutage === null),
    ),
    failures: new Counter({
      name: 'certswap_source_failures_total',
      help: 'Failures of the source, by code.',
      labelNames: ['source', 'code'],
      registers: [registry],
      collect() {
        this.reset()
        for (const code of SOURCE_CODES) this.inc({ ...labels, code }, 0)
        for (const [code, count] of Object.entries(now().failures)) this.inc({ ...labels, code }, count)
      },
    }),
  }
}

/** Codes with a series from the start: `increase()` misses the first event of a series that appears with it. */
const SOURCE_CODES = [
  'SOURCE_UNREACHABLE',
  'SOURCE_DENIED',
  'SOURCE_TIMEOUT',
  'SOURCE_INVALID',
  'SOURCE_WITHDRAWN',
  'SOURCE_OLDER',
] as const

function secondsOf(iso: string | null): number {
  return iso === null ? 0 : Date.parse(iso) / 1000
}
