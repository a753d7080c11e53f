import type tls from 'node:tls'
import { TLSSocket } from 'node:tls'

import { ReloadError } from '../base/errors.js'
import type { HostContexts } from '../generation/host-contexts.js'
import { planForHost } from '../generation/host-plan.js'
import { acceptingServer, addedContextFor } from '../generation/native-context.js'
import { pickHost } from '../generation/pick-host.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { termsOfConnection } from './connection-terms.js'
import type { ServedState } from './served-state.js'

/** `tls.TlsOptions#SNICallback`. Node calls it as a method of the TLS socket. */
export type SniCallback = (
  this: unknown,
  servername: string,
  done: (error: Error | null, context?: tls.SecureContext) => void,
) => void

/**
 * Picks the certificate by the name that a client asks for, of the generation that serves at that moment. A name that no
 * host has gets what the application gave the server for it (`addContext`), or else the default certificate, or is refused; a
 * client that names nothing gets the default one.
 *
 * Clients' certificates are judged by the trust that the connection was accepted under, because its ticket is bound to
 * that. Where that trust has been narrowed since, or cannot be known, the handshake is refused with `TRUST_WITHDRAWN`.
 */
export function sniCallback(
  current: () => ServedState,
  hostContexts: HostContexts,
  ownPeers: Partial<PeerPolicy>,
): SniCallback {
  function pick(socket: unknown, servername: string, done: Parameters<SniCallback>[1]): void {
    const { snapshot, contexts } = current()
    const host = pickHost(snapshot, servername)
    if (host === 'refused' || host === 'default') {
      const added = addedContext(socket, servername)
      if (host === 'default' || added) done(null, added)
      else done(new Error('no host has the server name that the client asks for'))
      return
    }
    const asked = { ...snapshot.options.peers, ...ownPeers }
    const terms = termsOfConnection(socket, asked, { contexts })
    if (!terms) {
      done(trustWithdrawn())
      return
    }
    hostContexts.contextOf(host, planForHost(host, terms)).then(
      (context) => {
        // Trust may have shrunk while the context was built.
        const now = termsOfConnection(socket, asked, current())
        if (now && (now.identity === terms.identity || !now.peers.requestCert)) done(null, context)
        else done(trustWithdrawn())
      },
      (error: Error) => {
        // Renewed while it waited to be built, and its key forgotten since.
        if (current().snapshot.hosts.find(servername) === host) done(error)
        else pick(socket, servername, done)
      },
    )
  }
  return function (servername, done) {
    pick(this, servername, done)
  }
}

/** What the application gave the server by `addContext` for a name that no host has: Node itself asks it only without a callback. */
function addedContext(socket: unknown, servername: string): tls.SecureContext | undefined {
  const server = socket instanceof TLSSocket ? acceptingServer(socket) : undefined
  return server && (addedContextFor(server, servername) as tls.SecureContext | undefined)
}

/** The error of a handshake whose trust is not in force any more. */
export function trustWithdrawn(): ReloadError {
  const message =
    'the trust that this connection was accepted under has been narrowed, or is not known; the client may connect again'
  return new ReloadError('TRUST_WITHDRAWN', message)
}
