import { NO_TRUST_ENDS } from '../../workers/protocol/ends.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { ContextPlan } from './build-context.js'
import type { Host } from './host.js'
import type { TrustTerms } from './trust-change.js'

/**
 * The plan of a host's context. Node takes the pair and, for client certificates, the trust from it; versions, ciphers and
 * ticket keys stay those of the context that accepted the connection. The trust must be that of the accepting context as
 * well: otherwise a ticket would outlive the trust under which its handshake was verified.
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

/** The trust of a server's contexts: public roots never verify a client, not even of options that an application changes. */
export function serverTrustOf(trust: PreparedTrust): PreparedTrust {
  return trust.publicRoots ? NO_TRUST : trust
}

/** For servers that request no client certificates. */
const NO_TRUST: PreparedTrust = Object.freeze({
  authorities: null,
  revocationLists: [],
  ends: NO_TRUST_ENDS,
  problems: [],
})
