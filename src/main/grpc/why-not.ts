import { judgesPeers } from '../attach/peer-gate.js'
import type { Snapshot } from '../generation/generation.js'

/** Why gRPC must not use a generation: it would accept peers that the engine refuses. `null` if it may. */
export function whyNotForGrpc({ material: { trust } }: Snapshot): string | null {
  if (trust.authorities === null || trust.publicRoots === true)
    return 'expected an engine with `ca` or `caDir`, and without public roots: a server of gRPC would trust them'
  if (trust.revocationLists.length > 0) return `gRPC cannot use revocation lists; ${INSTEAD}`
  if (judgesPeers(trust)) return `gRPC cannot check \`peers\` or trust domains; ${INSTEAD}`
  return null
}

const INSTEAD =
  'use `createConnectionInjector` for a server, and `createFromSecureContext(engine.secureContext())` for a channel'
