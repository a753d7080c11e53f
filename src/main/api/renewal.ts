/**
 * How the trust in peers changed. `reduced`: a peer that was trusted before may not be trusted now. A trust anchor (also of a trust
 * domain) was removed, revocation lists were added or changed, or `tls.allowPartialTrustChain` was switched off; other changes may
 * have widened it at the same time. `widened`: every peer that was trusted still is, and others may be. `unchanged`: neither.
 */
export type TrustChange = 'unchanged' | 'widened' | 'reduced'

/** What a new generation changes for connections that are already open, incoming or outgoing. */
export interface Renewal {
  /** Number of the generation that is now in service. */
  readonly generation: number
  /**
   * Whether a certificate that peers are shown changed: a leaf, its chain or its key. Certificates of SNI hosts are not
   * included: no outgoing connection uses them.
   */
  readonly leaf: boolean
  /** Does not depend on `requestCert`, because the trust also verifies the servers of outgoing connections. */
  readonly trust: TrustChange
}
