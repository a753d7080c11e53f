import { TLSSocket } from 'node:tls'

import { acceptedTerms, isWithdrawn } from '../generation/accepted-terms.js'
import {
  acceptingPolicy,
  acceptingServer,
  peerPolicyOf,
  sessionIdContextFor,
} from '../generation/native-context.js'
import type { TrustTerms } from '../generation/trust-change.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import type { ServedState } from './served-state.js'

/**
 * The terms by which a handshake is to be judged: those of the context that accepted its connection, which its ticket is
 * bound to as well. `null` where they are not in force any more, or cannot be known: then the handshake must be refused.
 *
 * A context that no engine has built is that of a server that was made from `serverOptions()` and is not attached. Its
 * session id context names the trust that it was made with, so it is known as long as that trust is in force.
 *
 * @param asked - What `serverOptions()` said about client certificates; it decides for what is no TLS socket, and lets
 * in only where no certificate is requested.
 */
export function termsOfConnection(
  socket: unknown,
  asked: PeerPolicy,
  { contexts }: Pick<ServedState, 'contexts'>,
): TrustTerms | null {
  if (!(socket instanceof TLSSocket)) return asked.requestCert ? null : contexts.termsFor(asked)
  const accepted = acceptedTerms(socket)
  if (accepted) {
    const server = acceptingServer(socket)
    const inForce = contexts.termsFor((server && peerPolicyOf(server)) ?? accepted.peers)
    return isWithdrawn(accepted, inForce) ? null : accepted
  }
  const policy = acceptingPolicy(socket)
  const inForce = contexts.termsFor(policy)
  return !policy.requestCert || sessionIdContextFor(socket) === inForce.identity ? inForce : null
}
