import type { BenchOptions, Sample, Scope } from '../bench.js'
import { KINDS } from '../load/handshakes.js'
import { startLoadProcess } from '../load/process.js'
import { PLAIN } from '../material/shapes.js'
import type { Fault } from '../server/faults.js'
import { anyPorts, renewAndReload, withService } from './with-service.js'

/** Whether a client ever notices that certificates come and go. */
export const rotationsScope: Scope = {
  name: 'rotations',
  title: 'Failures over many rotations under load',
  columns: {
    rotations: 'rotations',
    handshakes: 'handshakes',
    handshakesFailed: 'failed',
    sessionsOffered: 'sessions offered',
    sessionsLost: 'lost',
    requestsFailed: 'requests failed',
    connectionsClosed: 'connections closed',
    tornSwaps: 'swaps in which servers disagreed',
  },
  cells(options) {
    const rotations = rotationsOf(options)
    return [
      {
        scenario: `${rotations.toLocaleString('en')} rotations, 4 servers`,
        variant: 'certswap',
        rounds: 1,
        seconds: 3 + rotations * 0.03,
        measure: () => measureRotations(options.node, rotations),
      },
    ]
  },
}

function rotationsOf({ quick }: BenchOptions): number {
  return quick ? 300 : 10_000
}

const HANDSHAKES_PER_SECOND = 100
const KEEP_ALIVE_CONNECTIONS = 10
/** A window of load after the other, until all rotations are done. */
const WINDOW_SECONDS = 2

/** Rotates as fast as reloads go, one after the other. */
export async function measureRotations(node: string, rotations: number, fault?: Fault): Promise<Sample> {
  const subject = { technique: 'certswap', ports: anyPorts(4), ...(fault ? { fault } : {}) } as const
  return await withService(node, PLAIN, subject, async (service, site) => {
    const load = startLoadProcess()
    const totals = {
      handshakes: 0,
      handshakesFailed: 0,
      sessionsOffered: 0,
      sessionsLost: 0,
      requestsFailed: 0,
      connectionsClosed: 0,
    }
    try {
      await service.server.call('watchAgreement')
      let rotated = 0
      while (rotated < rotations) {
        let loading = true
        const window = load
          .call('run', {
            ...{ port: service.port, seconds: WINDOW_SECONDS, kinds: KINDS },
            ...{ handshakesPerSecond: HANDSHAKES_PER_SECOND, keepAliveConnections: KEEP_ALIVE_CONNECTIONS },
          })
          .finally(() => {
            loading = false
          })
        for (; loading && rotated < rotations; rotated++) await renewAndReload(service, site)
        const { handshakes, keepAlive } = await window
        totals.handshakes += handshakes.taken.length
        totals.handshakesFailed += handshakes.failures.length + handshakes.unanswered
        totals.sessionsOffered += handshakes.offered
        totals.sessionsLost += handshakes.lost
        totals.requestsFailed += keepAlive.failed
        totals.connectionsClosed += keepAlive.closed
      }
      const { swaps, torn } = await service.server.call('agreement')
      return { figures: { rotations, ...totals, swaps, tornSwaps: torn } }
    } finally {
      await load.stop()
    }
  })
}
