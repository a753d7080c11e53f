import { randomBytes } from 'node:crypto'
import type { Server } from 'node:tls'

import { hookSwap } from './swap-hook.js'

/** Mistakes that the bench has to find, planted where a server takes its certificate from. */
export type Fault = 'slow-commit' | 'dropped-tickets' | 'torn-swap'

/** Long enough to be told from what the machine does. */
const SLOW_MS = 20

/** Makes every swap of these servers go wrong in one way. */
export function plantFault(fault: Fault, servers: readonly Server[]): void {
  servers.forEach((server, index) => {
    hookSwap(server, (take, next) => {
      if (fault === 'torn-swap' && index > 0) {
        setTimeout(take, index)
        return
      }
      if (fault === 'slow-commit') holdTheLoop()
      if (fault === 'dropped-tickets') next.context.setTicketKeys(randomBytes(48))
      take()
    })
  })
}

function holdTheLoop(): void {
  const end = performance.now() + SLOW_MS
  while (performance.now() < end);
}
