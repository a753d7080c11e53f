import { createHash } from 'node:crypto'

/** Who may come in: what a TLS session must not outlive. */
export interface PeerPolicy {
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
}

/** OpenSSL takes at most 32 bytes of session id context, and aborts on more (SSL_MAX_SID_CTX_LENGTH). */
const ID_LENGTH = 32
/**
 * Names a trust: the anchors and revocation lists, and what a server does with them. Two contexts of the same identity
 * let in the same peers, so a session of one may be resumed at the other; with another identity it may not, or a
 * client of a removed CA would come back by resumption (CVE-2025-68121, CVE-2025-23419 are of this kind).
 */
export function trustIdentity(trustDigest: string | null, peers: PeerPolicy, partialChain: boolean): string {
  const parts = ['server', trustDigest, peerPolicyKey(peers), partialChain]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, ID_LENGTH)
}

/** One word for a policy, to keep contexts by. */
export function peerPolicyKey({ requestCert, rejectUnauthorized }: PeerPolicy): string {
  return requestCert ? (rejectUnauthorized ? 'required' : 'optional') : 'none'
}

/** The options that decide, beside anchors and lists, whether a session may be resumed. */
export interface TrustPolicy {
  readonly peers: PeerPolicy
  readonly context: { readonly allowPartialTrustChain?: boolean }
}

/** Whether sessions that began under one of these policies may be resumed under the other, as {@link trustIdentity} has it. */
export function sameTrustPolicy(a: TrustPolicy, b: TrustPolicy): boolean {
  const [one, other] = [a, b].map(({ peers, context }) =>
    trustIdentity(null, peers, context.allowPartialTrustChain === true),
  )
  return one === other
}
