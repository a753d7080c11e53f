import { randomBytes } from 'node:crypto'
import type { Server } from 'node:tls'

import { hookSwap } from './swap-hook.js'

/** Mistakes that the bench has to find, planted where a server takes its certificate from. */
export type Fault = 'slow-commit' | 'dropped-tickets' | 'torn-swap'

/** Long enough to be told from what the machine does. */
const SLOW_MS = 20
const nobody = new Int32Array(new SharedArrayBuffer(4))

/** Makes every swap of these servers go wrong in one way. */
export function plantFault(fault: Fault, servers: readonly Server[]): void {
  servers.forEach((server, index) => {
    hookSwap(server, (take, next) => {
      if (fault === 'torn-swap' && index > 0) {
        setImmediate(take)
        return
      }
      if (fault === 'slow-commit') Atomics.wait(nobody, 0, 0, SLOW_MS)
      if (fault === 'dropped-tickets') next.context.setTicketKeys(randomBytes(48))
      take()
    })
  })
}
