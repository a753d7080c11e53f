import type { X509Certificate } from 'node:crypto'

import { isSelfSigned } from '../parse/certificates.js'
import { hasKnownRoot } from './chain-detour.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'

/**
 * Which certificates of a chain clients need to verify the leaf, by their place; the leaf is at 0. They need no root, because
 * they have their own copy of it; nothing above a certificate that a known root issued itself, such as the old
 * cross-signature of that root; and nothing that is not on the path.
 */
export function neededIn(
  { chain, linked }: Pick<Identity, 'chain' | 'linked'>,
  anchorsNamed: NamedAnchors,
): (index: number) => boolean {
  let count = 1
  while (count < linked && !isSelfSigned(chain[count] as X509Certificate)) {
    // Below the first intermediate there is the leaf alone, which roots seldom issue.
    if (count > 1 && hasKnownRoot(chain[count - 1] as X509Certificate, anchorsNamed)) break
    count++
  }
  return (index) => index < count
}
