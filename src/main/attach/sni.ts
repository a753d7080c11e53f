import type tls from 'node:tls'
import { TLSSocket } from 'node:tls'

import { ReloadError } from '../base/errors.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import type { HostContexts } from '../generation/host-contexts.js'
import { planForHost } from '../generation/host-plan.js'
import { acceptingServer, addedContextFor } from '../generation/native-context.js'
import { mayHaveHost, pickHost } from '../generation/pick-host.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { termsOfConnection } from './connection-terms.js'
import type { HostsOnDemand } from './hosts-on-demand.js'
import type { ServedState } from './served-state.js'

/** `tls.TlsOptions#SNICallback`. Node calls it as a method of the TLS socket. */
export type SniCallback = (
  this: unknown,
  servername: string,
  done: (error: Error | null, context?: tls.SecureContext) => void,
) => void

/** Hosts beside the generation, and the contexts of all hosts. */
export interface SniHosts {
  readonly contexts: HostContexts
  /** `null` without the option `hosts.onDemand`. */
  readonly onDemand: HostsOnDemand | null
}

/**
 * Selects the certificate of the current generation by the server name of the client. A name without a host gets the context
 * that the application added for it (`addContext`), or else its host on demand, the default certificate, or is refused. A
 * client without a server name gets the default certificate.
 *
 * Client certificates are judged by the trust under which the connection was accepted, because its ticket is bound to that
 * trust. If the trust was narrowed since, or cannot be determined, the handshake is refused with `TRUST_WITHDRAWN`.
 */
export function sniCallback(
  current: () => ServedState,
  hosts: SniHosts,
  ownPeers: Partial<PeerPolicy>,
): SniCallback {
  type Done = Parameters<SniCallback>[1]

  function pick(socket: unknown, servername: string, done: Done): void {
    const { snapshot } = current()
    const host = pickHost(snapshot, servername)
    if (typeof host === 'object') {
      serve(host, socket, servername, done)
      return
    }
    const added = addedContext(socket, servername)
    const requested = added ? null : hostOnDemand(snapshot, hosts, servername)
    if (!(requested instanceof Promise)) {
      if (requested) serve(requested, socket, servername, done)
      else answerUnknown(host, added, done)
      return
    }
    requested
      .then((found) => {
        if (found) serve(found, socket, servername, done)
        else answerUnknown(host, undefined, done)
      })
      .catch(done)
  }

  function serve(host: Host, socket: unknown, servername: string, done: Done): void {
    const { snapshot, contexts } = current()
    const asked = { ...snapshot.options.peers, ...ownPeers }
    const terms = termsOfConnection(socket, asked, { contexts })
    if (!terms) {
      done(trustWithdrawn())
      return
    }
    hosts.contexts.contextOf(host, planForHost(host, terms)).then(
      (context) => {
        // Trust may have been narrowed while the context was built.
        const now = termsOfConnection(socket, asked, current())
        if (now && (now.identity === terms.identity || !now.peers.requestCert)) done(null, context)
        else done(trustWithdrawn())
      },
      (error: Error) => {
        // The host may have been renewed before the context was built, and its key wiped.
        const isServed =
          current().snapshot.hosts.find(servername) === host || hosts.onDemand?.peek(servername) === host
        if (isServed) done(error)
        else pick(socket, servername, done)
      },
    )
  }

  return function (servername, done) {
    pick(this, servername, done)
  }
}

function hostOnDemand(
  snapshot: Snapshot,
  { onDemand }: SniHosts,
  servername: string,
): ReturnType<HostsOnDemand['hostFor']> {
  return onDemand && mayHaveHost(snapshot, servername) ? onDemand.hostFor(servername) : null
}

function answerUnknown(
  answer: 'default' | 'refused',
  added: tls.SecureContext | undefined,
  done: Parameters<SniCallback>[1],
): void {
  if (answer === 'default' || added) done(null, added)
  else done(new Error('no host has the server name of the client'))
}

/** The context of `addContext` for a name without a host; Node uses it only if there is no SNI callback. */
function addedContext(socket: unknown, servername: string): tls.SecureContext | undefined {
  const server = socket instanceof TLSSocket ? acceptingServer(socket) : undefined
  return server && (addedContextFor(server, servername) as tls.SecureContext | undefined)
}

/** The error of a handshake whose trust is no longer in force. */
export function trustWithdrawn(): ReloadError {
  const message =
    'the trust under which this connection was accepted has been narrowed, or is not known; the client may connect again'
  return new ReloadError('TRUST_WITHDRAWN', message)
}
