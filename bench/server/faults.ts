import { randomBytes } from 'node:crypto'
import type { Server } from 'node:tls'

import { hookSwap } from './swap-hook.js'
import { mainThreadClock } from './thread-clock.js'

/** Faults that the bench must detect, injected into the swap of a server's context. */
export type Fault = 'slow-commit' | 'dropped-tickets' | 'torn-swap'

/** Milliseconds of processor time; long enough to be distinguished from disturbances of the machine. */
const SLOW_MS = 20

/** Injects the fault into every swap of these servers. */
export function plantFault(fault: Fault, servers: readonly Server[]): void {
  const cpuMs = mainThreadClock()
  servers.forEach((server, index) => {
    hookSwap(server, (take, next) => {
      if (fault === 'torn-swap' && index > 0) {
        setImmediate(take)
        return
      }
      if (fault === 'slow-commit') for (const end = cpuMs() + SLOW_MS; cpuMs() < end; );
      if (fault === 'dropped-tickets') next.context.setTicketKeys(randomBytes(48))
      take()
    })
  })
}
