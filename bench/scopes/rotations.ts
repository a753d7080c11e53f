import type { BenchOptions, Scope } from '../bench.js'
import { duringLoad } from '../load/during-load.js'
import { startLoadProcess } from '../load/process.js'
import { PLAIN } from '../material/shapes.js'
import type { Fault } from '../server/faults.js'
import { anyPorts, renewAndReload, withService } from './with-service.js'

/** Whether any client sees a failure caused by rotations. */
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
        seconds: 3 + rotations * 0.022,
        measure: async () => ({ figures: { ...(await measureRotations(options.node, rotations)) } }),
      },
    ]
  },
}

function rotationsOf({ quick }: BenchOptions): number {
  return quick ? 300 : 10_000
}

/** Seconds of a window of load; windows are repeated until all rotations are done. */
const WINDOW_SECONDS = 2

/** Failures that clients saw, and disagreements between servers. */
export interface RotationFigures {
  readonly rotations: number
  readonly handshakes: number
  readonly handshakesFailed: number
  readonly sessionsOffered: number
  readonly sessionsLost: number
  readonly requestsFailed: number
  readonly connectionsClosed: number
  readonly swaps: number
  readonly tornSwaps: number
}

/** Rotates continuously, one reload after the other. */
export async function measureRotations(
  node: string,
  rotations: number,
  fault?: Fault,
): Promise<RotationFigures> {
  const subject = {
    ...({ technique: 'certswap', ports: anyPorts(4) } as const),
    // Otherwise VERIFY would find the fault first and undo the commit.
    ...(fault ? { fault, verifyServed: false } : {}),
  }
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
        const { handshakes, keepAlive } = await duringLoad(
          load,
          service.port,
          WINDOW_SECONDS,
          async (loading) => {
            for (; loading() && rotated < rotations; rotated++) await renewAndReload(service, site)
          },
        )
        totals.handshakes += handshakes.taken.length
        totals.handshakesFailed += handshakes.failures.length + handshakes.unanswered
        totals.sessionsOffered += handshakes.offered
        totals.sessionsLost += handshakes.lost
        totals.requestsFailed += keepAlive.failed
        totals.connectionsClosed += keepAlive.closed
      }
      const { swaps, torn } = await service.server.call('agreement')
      return { rotations, ...totals, swaps, tornSwaps: torn }
    } finally {
      await load.stop()
    }
  })
}
