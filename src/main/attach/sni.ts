import type tls from 'node:tls'

import { coversName } from '../generation/generation.js'
import type { HostContexts } from '../generation/host-contexts.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import type { ServedState } from './server-book.js'

/** `tls.TlsOptions#SNICallback`. */
export type SniCallback = (
  servername: string,
  done: (error: Error | null, context?: tls.SecureContext) => void,
) => void

/**
 * Picks the certificate by the name that a client asks for, of the generation that serves at that moment. A name that no
 * host has gets the default certificate, or is refused; a client that names nothing gets the default one.
 */
export function sniCallback(
  current: () => ServedState,
  hostContexts: HostContexts,
  ownPeers: Partial<PeerPolicy>,
): SniCallback {
  return function pick(servername, done) {
    const { snapshot, contexts } = current()
    const host = snapshot.hosts.find(servername)
    if (host) {
      const peers = { ...snapshot.options.peers, ...ownPeers }
      hostContexts.contextOf(host, contexts.planForHost(host, peers)).then(
        (context) => done(null, context),
        (error: Error) => {
          // Renewed while it waited to be built, and its key forgotten since.
          if (current().snapshot.hosts.find(servername) === host) done(error)
          else pick(servername, done)
        },
      )
    } else if (
      snapshot.options.unknownHosts === 'refuse' &&
      !coversName(snapshot.generation.certificates, servername)
    ) {
      done(new Error('no host has the server name that the client asks for'))
    } else {
      done(null)
    }
  }
}
