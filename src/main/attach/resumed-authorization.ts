import { constants } from 'node:crypto'
import type tls from 'node:tls'

import { authorizesResumedWithoutCertificate, hasPeerCertificate } from '../generation/native-context.js'
import type { PeerPolicy } from '../generation/trust-identity.js'

/*
 * Before nodejs/node#64677, a client without a certificate was `authorized: false` after a full TLS 1.3 handshake and
 * `true` after it resumed that session. It matters where certificates are requested and not required: there the
 * application decides by `socket.authorized`.
 */

/** Whether a server of this policy decides by `socket.authorized`. */
export function letsStrangersIn({ requestCert, rejectUnauthorized }: PeerPolicy): boolean {
  return requestCert && !rejectUnauthorized
}

/**
 * A listener of `secureConnection` that comes before those of the application: a resumed session without a certificate
 * authorizes no client. The certificate is looked for only on resumed connections that Node calls authorized.
 */
export function correctAuthorized(socket: tls.TLSSocket): void {
  if (!socket.authorized || !socket.isSessionReused() || hasPeerCertificate(socket)) return
  // As Node 24.21 sets them. The type of `authorizationError` is wrong: Node assigns the code of the error.
  Object.assign(socket, { authorized: false, authorizationError: 'UNABLE_TO_GET_ISSUER_CERT' })
}

/**
 * Options of a server that may never be attached, so that nothing corrects `authorized` there: on a Node that gets it
 * wrong, such a server issues no tickets for this policy. `attach()` gives the server a context that does.
 */
export function optionsBeforeAttach(
  options: tls.SecureContextOptions,
  peers: PeerPolicy,
): tls.SecureContextOptions {
  if (!letsStrangersIn(peers) || !authorizesResumedWithoutCertificate()) return options
  return { ...options, secureOptions: (options.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET }
}
