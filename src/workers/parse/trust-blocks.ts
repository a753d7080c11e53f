import type { TrustFacts } from '../protocol/material.js'
import type { AuthorityFacts } from './authorities.js'

/** Trust anchors and revocation lists as they stand in the files, not yet parsed. */
export interface TrustBlocks {
  readonly authorities: readonly AuthorityBlock[]
  readonly revocationLists: readonly TrustBlock[]
  readonly facts: TrustFacts
}

export interface TrustBlock {
  readonly pem: string
  readonly der: Buffer
  readonly digest: string
  readonly path: string
  /** Which block of which file it is, for what is said about it. */
  readonly what: string
}

export interface AuthorityBlock extends TrustBlock {
  /** DER in base64, as {@link subjectOf} gives it. */
  readonly subject: string
}

/** A trust anchor as it stands in its file, and what is known of it. */
export interface JudgedAuthority {
  readonly block: AuthorityBlock
  readonly facts: AuthorityFacts
}
