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
 * The terms that apply to a handshake: those of the context that accepted its connection, to which its ticket is bound as
 * well. `null` if they are no longer in force or cannot be determined; the handshake must then be refused.
 *
 * A context that no engine has built belongs to a server that was created from `serverOptions()` and is not attached. Its
 * session id context identifies its trust, so its terms are known as long as that trust is in force.
 *
 * @param asked - The peer policy of `serverOptions()`, used if `socket` is not a TLS socket; such a socket is accepted only
 * if no certificate is requested.
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
