import type tls from 'node:tls'

import type { HostContexts } from '../generation/host-contexts.js'
import { pickHost } from '../generation/pick-host.js'
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
    const host = pickHost(snapshot, servername)
    if (host === 'refused') {
      done(new Error('no host has the server name that the client asks for'))
    } else if (host === 'default') {
      done(null)
    } else {
      const peers = { ...snapshot.options.peers, ...ownPeers }
      hostContexts.contextOf(host, contexts.planForHost(host, peers)).then(
        (context) => done(null, context),
        (error: Error) => {
          // Renewed while it waited to be built, and its key forgotten since.
          if (current().snapshot.hosts.find(servername) === host) done(error)
          else pick(servername, done)
        },
      )
    }
  }
}
