import { Counter, Gauge, type Registry } from 'prom-client'

import type { ReloadEngine } from '../api/reload-engine.js'
import type { OnDemandStatus } from '../api/status.js'

/** The metric families of hosts on demand, by name. `docs/metrics.md` explains each. */
export type OnDemandFamilies = Readonly<Record<string, Gauge | Counter>>

/** Registers the metrics of hosts on demand, which read the status at each scrape. Empty without the option. */
export function followOnDemand(engine: ReloadEngine, registry: Registry): OnDemandFamilies {
  const { onDemand } = engine.status()
  if (onDemand === null) return {}
  const labels = { source: onDemand.source }
  const now = () => engine.status().onDemand as OnDemandStatus
  const gauge = (name: string, help: string, read: (status: OnDemandStatus) => number) =>
    new Gauge({
      name: `certswap_on_demand_${name}`,
      help,
      labelNames: ['source'],
      registers: [registry],
      collect() {
        this.set(labels, read(now()))
      },
    })
  const counter = (name: string, help: string, label: string, read: (status: OnDemandStatus) => object) =>
    new Counter({
      name: `certswap_on_demand_${name}_total`,
      help,
      labelNames: label === '' ? ['source'] : ['source', label],
      registers: [registry],
      collect() {
        this.reset()
        for (const [value, count] of Object.entries(read(now()) as Record<string, number>))
          this.inc(label === '' ? labels : { ...labels, [label]: value }, count)
      },
    })
  return {
    hosts: gauge('hosts', 'Hosts on demand in service.', ({ hosts }) => hosts),
    pending: gauge(
      'pending',
      'Names whose host was requested and is not in service yet.',
      ({ pending }) => pending,
    ),
    failingSince: gauge(
      'failing_since_timestamp_seconds',
      'Time since which the source of hosts on demand has not answered; 0 while it answers.',
      ({ failingSince }) => (failingSince === null ? 0 : Date.parse(failingSince) / 1000),
    ),
    queries: counter(
      'queries',
      'Queries for hosts on demand, by result.',
      'outcome',
      ({ queries }) => queries,
    ),
    skipped: counter(
      'skipped',
      'Requests of clients without a query, by reason.',
      'reason',
      ({ skipped }) => skipped,
    ),
    refused: counter('refused', 'Delivered hosts whose material was refused.', '', ({ refused }) => ({
      refused,
    })),
    evicted: counter(
      'evicted',
      'Hosts that were removed because others were used more recently.',
      '',
      ({ evicted }) => ({
        evicted,
      }),
    ),
  }
}
