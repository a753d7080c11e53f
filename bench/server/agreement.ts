import type { Server } from 'node:tls'

import { hookSwap, type PointableServer } from './swap-hook.js'

/** Number of swaps of the servers of a process, and of swaps in which they disagreed. */
export interface Agreement {
  readonly swaps: number
  /** Turns of the event loop at whose end two servers served different certificates. */
  readonly torn: number
}

/** Compares all servers at the end of every turn in which one of them gets another certificate. */
export function watchAgreement(servers: readonly Server[]): () => Agreement {
  let [swaps, torn, due] = [0, 0, false]
  const look = () => {
    due = false
    swaps += 1
    const [first, ...others] = servers.map((server) => (server as PointableServer)._sharedCreds.context)
    const served = first?.getCertificate()
    if (others.some((other) => served?.compare(other.getCertificate()) !== 0)) torn += 1
  }
  for (const server of servers) {
    hookSwap(server, (take) => {
      take()
      // After all promises of this turn, and before any data of a client is processed.
      if (!due) process.nextTick(look)
      due = true
    })
  }
  return () => ({ swaps, torn })
}
