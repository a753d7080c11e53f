import type { TrustFacts } from '../protocol/material.js'
import type { TrustDomains } from '../protocol/prepare.js'
import type { AuthorityFacts } from './authorities.js'

/** Trust anchors and revocation lists as read from files, not yet parsed, and the rules about peers. */
export interface TrustBlocks {
  readonly authorities: readonly AuthorityBlock[]
  readonly revocationLists: readonly TrustBlock[]
  /** See `PreparedTrust.domains`. */
  readonly domains?: TrustDomains
  /** See `PreparedTrust`. */
  readonly peerRules?: Uint8Array
  /** See `PreparedTrust`. */
  readonly publicRoots?: true
  readonly facts: TrustFacts
}

export interface TrustBlock {
  readonly pem: string
  readonly der: Buffer
  readonly digest: string
  readonly path: string
  /** File and position of the block, for messages. */
  readonly what: string
}

export interface AuthorityBlock extends TrustBlock {
  /** DER in base64, see {@link subjectOf}. */
  readonly subject: string
  /** Set for a public root that is in no file of the options. */
  readonly isPublic?: true
}

/** A trust anchor and its parsed facts. */
export interface JudgedAuthority {
  readonly block: AuthorityBlock
  readonly facts: AuthorityFacts
}
