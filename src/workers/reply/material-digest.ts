import { createHash } from 'node:crypto'

import type { Identity } from '../judge/identity.js'

/** Digest of the set's public parts: the leaf represents its key. */
export function materialDigestOf(identities: readonly Identity[], dhparam: string | null): string {
  const chains = identities.map(({ chain }) => chain.map(({ fingerprint256 }) => fingerprint256))
  return createHash('sha256')
    .update(JSON.stringify([chains, dhparam]))
    .digest('hex')
}
