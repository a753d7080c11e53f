import { NO_TRUST_ENDS } from '../../workers/protocol/ends.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { ContextPlan } from './build-context.js'
import type { Host } from './host.js'
import type { TrustTerms } from './trust-change.js'

/**
 * What the context of a host is built from. Node takes the pair and, for clients' certificates, the trust from it;
 * versions, ciphers and ticket keys stay those of the context that accepted the connection. So the trust has to be that
 * of the accepting context too: otherwise a ticket would outlive the trust that its handshake was judged by.
 */
export function planForHost({ pair }: Host, { identity, peers, trust, options }: TrustTerms): ContextPlan {
  return {
    material: {
      pairs: [pair],
      trust: peers.requestCert ? trust : NO_TRUST,
      dhparam: null,
      ticketSecret: null,
    },
    options,
    session: { sessionIdContext: identity, ticketKeys: null },
  }
}

/** Where clients are not asked for certificates. */
const NO_TRUST: PreparedTrust = Object.freeze({
  authorities: null,
  revocationLists: [],
  ends: NO_TRUST_ENDS,
  problems: [],
})
