import { createHash } from 'node:crypto'

/** Requirements for client certificates. A TLS session must not outlive them. */
export interface PeerPolicy {
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
}

/** OpenSSL takes at most 32 bytes of session id context, and aborts on more (SSL_MAX_SID_CTX_LENGTH). */
const ID_LENGTH = 32

/**
 * Identifies a trust: the anchors, the revocation lists, and how a server uses them. Two contexts with the same identity admit
 * the same peers, so a session of one may be resumed at the other. With another identity it must not: a client of a removed CA
 * would return by resumption (CVE-2025-68121 and CVE-2025-23419 are of this kind).
 */
export function trustIdentity(trustDigest: string | null, peers: PeerPolicy, partialChain: boolean): string {
  const parts = ['server', trustDigest, peerPolicyKey(peers), partialChain]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, ID_LENGTH)
}

/** A map key for a policy: one word. */
export function peerPolicyKey({ requestCert, rejectUnauthorized }: PeerPolicy): string {
  return requestCert ? (rejectUnauthorized ? 'required' : 'optional') : 'none'
}

/** The options that decide, together with anchors and lists, whether a session may be resumed. */
export interface TrustPolicy {
  readonly peers: PeerPolicy
  readonly context: { readonly allowPartialTrustChain?: boolean }
}

/** Whether sessions that began under one of these policies may be resumed under the other, by {@link trustIdentity}. */
export function sameTrustPolicy(a: TrustPolicy, b: TrustPolicy): boolean {
  const [one, other] = [a, b].map(({ peers, context }) =>
    trustIdentity(null, peers, context.allowPartialTrustChain === true),
  )
  return one === other
}
