import { Counter, Gauge, type Registry } from 'prom-client'

import { PROTOCOLS } from '../drain/connections/protocols.js'
import type { DrainResult } from '../drain/farewell.js'
import type { ConnectionClosed, Drain } from '../drain/handle.js'

/** What of a drain can be seen from outside. */
export interface DrainMetrics {
  readonly families: Readonly<Record<string, object>>
  /** Stops following the drain. */
  stop(): void
}

/** Follows a drain with metrics of its own in `registry`. `docs/metrics.md` explains each. */
export function followDrain(drain: Drain, registry: Registry): DrainMetrics {
  const registers = [registry]
  const families = {
    draining: new Gauge({
      name: 'certswap_draining',
      help: 'Whether clients are being told to go.',
      registers,
      collect() {
        this.set(drain.state === 'running' ? 0 : 1)
      },
    }),
    connections: new Gauge({
      name: 'certswap_drain_connections',
      help: 'Live connections that a drain would tell to go, or has told.',
      labelNames: ['protocol'],
      registers,
      collect() {
        for (const [protocol, count] of Object.entries(drain.connections())) this.set({ protocol }, count)
      },
    }),
    duration: new Gauge({
      name: 'certswap_drain_duration_seconds',
      help: 'How long the drain took that has ended; 0 before.',
      registers,
    }),
    forced: new Counter({
      name: 'certswap_drain_forced_connections_total',
      help: 'Connections that were cut by a deadline, or by force.',
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

  const left = ({ protocol, departure }: ConnectionClosed) => {
    if (departure === 'forced') families.forced.inc({ protocol })
  }
  const gone = () => families.goaways.inc()
  const drained = ({ durationMs }: DrainResult) => families.duration.set(durationMs / 1000)
  drain.on('connection-closed', left).on('goaway', gone).on('drained', drained)
  return {
    families,
    stop() {
      drain.off('connection-closed', left).off('goaway', gone).off('drained', drained)
    },
  }
}
