import { Counter, Gauge, type Registry } from 'prom-client'

import type { DrainResult } from '../drain/active-drain.js'
import { PROTOCOLS } from '../drain/connections/protocols.js'
import type { ConnectionClosed, Drain } from '../drain/handle.js'

export interface DrainMetrics {
  readonly families: Readonly<Record<string, object>>
  /** Stops following the drain. */
  stop(): void
}

/** Registers the metrics of a drain in `registry` and updates them. `docs/metrics.md` explains each. */
export function followDrain(drain: Drain, registry: Registry): DrainMetrics {
  const registers = [registry]
  const families = {
    draining: new Gauge({
      name: 'certswap_draining',
      help: 'Whether a drain is in progress or has ended.',
      registers,
      collect() {
        this.set(drain.state === 'running' ? 0 : 1)
      },
    }),
    connections: new Gauge({
      name: 'certswap_drain_connections',
      help: 'Live connections that a drain closes.',
      labelNames: ['protocol'],
      registers,
      collect() {
        for (const [protocol, count] of Object.entries(drain.connections())) this.set({ protocol }, count)
      },
    }),
    duration: new Gauge({
      name: 'certswap_drain_duration_seconds',
      help: 'Duration of the completed drain; 0 before it has completed.',
      registers,
    }),
    forced: new Counter({
      name: 'certswap_drain_forced_connections_total',
      help: 'Connections that the drain destroyed at a deadline or by force.',
      labelNames: ['protocol'],
      registers,
    }),
    goaways: new Counter({
      name: 'certswap_goaway_sent_total',
      help: 'HTTP/2 sessions that were sent a GOAWAY.',
      registers,
    }),
  }
  for (const protocol of PROTOCOLS) families.forced.inc({ protocol }, 0)

  const closed = ({ protocol, departure }: ConnectionClosed) => {
    if (departure === 'forced') families.forced.inc({ protocol })
  }
  const goaway = () => families.goaways.inc()
  const drained = ({ durationMs }: DrainResult) => families.duration.set(durationMs / 1000)
  drain.on('connection-closed', closed).on('goaway', goaway).on('drained', drained)
  return {
    families,
    stop() {
      drain.off('connection-closed', closed).off('goaway', goaway).off('drained', drained)
    },
  }
}
