import { constants } from 'node:crypto'
import type tls from 'node:tls'

import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import { authorizesResumedWithoutCertificate, hasPeerCertificate } from '../generation/native-context.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { judgesPeers } from './peer-gate.js'

/*
 * Before nodejs/node#64677, a client without a certificate was `authorized: false` after a full TLS 1.3 handshake and
 * `true` after it resumed that session. This matters if certificates are requested but not required, because the
 * application then decides by `socket.authorized`.
 */

/** Whether a server with this policy accepts clients without a valid certificate, and decides by `socket.authorized`. */
export function acceptsUnverified({ requestCert, rejectUnauthorized }: PeerPolicy): boolean {
  return requestCert && !rejectUnauthorized
}

/**
 * A `secureConnection` listener that runs before those of the application: a resumed session without a certificate does not
 * authorize a client. The certificate is only read on resumed connections that Node reports as authorized.
 */
export function correctAuthorized(socket: tls.TLSSocket): void {
  if (!socket.authorized || !socket.isSessionReused() || hasPeerCertificate(socket)) return
  // As Node 24.21 sets them. The type of `authorizationError` is wrong: Node assigns the code of the error.
  Object.assign(socket, { authorized: false, authorizationError: 'UNABLE_TO_GET_ISSUER_CERT' })
}

/**
 * Options of a server that may never be attached, so that `correctAuthorized` may never run there: on an affected Node
 * version, they disable session tickets for this policy. `attach()` sets a context with tickets.
 *
 * With trust domains or rules about peers, a server that is not attached accepts no client certificate and resumes no session
 * of another server, because it does not check the peers.
 */
export function optionsBeforeAttach(
  options: tls.SecureContextOptions,
  peers: PeerPolicy,
  trust: PreparedTrust,
): tls.SecureContextOptions {
  const own = judgesPeers(trust) && peers.requestCert ? withoutTrust(options) : options
  if (!acceptsUnverified(peers) || !authorizesResumedWithoutCertificate()) return own
  return { ...own, secureOptions: (own.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET }
}

function withoutTrust({ ticketKeys: _, ...options }: tls.SecureContextOptions): tls.SecureContextOptions {
  return { ...options, ca: [], crl: [], sessionIdContext: 'certswap: not attached' }
}
