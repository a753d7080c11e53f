import type { Server } from 'node:tls'

import { hookSwap, type PointableServer } from './swap-hook.js'

/** How often the servers of a process were given another certificate, and how often only some of them were. */
export interface Agreement {
  readonly swaps: number
  /** Turns of the event loop that ended with two servers handing out different certificates. */
  readonly torn: number
}

/** Looks at all servers at the end of every turn in which one of them is given another certificate. */
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
      // After every promise of this turn and before anything that a client sends is looked at.
      if (!due) process.nextTick(look)
      due = true
    })
  }
  return () => ({ swaps, torn })
}
