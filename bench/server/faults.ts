import { randomBytes } from 'node:crypto'
import type { Server } from 'node:tls'

import { hookSwap } from './swap-hook.js'
import { mainThreadClock } from './thread-clock.js'

/** Mistakes that the bench has to find, planted where a server takes its certificate from. */
export type Fault = 'slow-commit' | 'dropped-tickets' | 'torn-swap'

/** Of processor time, whatever the machine takes in between, and long enough to be told from that. */
const SLOW_MS = 20

/** Makes every swap of these servers go wrong in one way. */
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
