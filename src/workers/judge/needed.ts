import type { X509Certificate } from 'node:crypto'

import { isSelfSigned } from '../parse/certificates.js'
import { hasKnownRoot } from './chain-detour.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'

/**
 * Which certificates of a chain clients need to verify the leaf, by index; the leaf is at 0. They do not need the root,
 * which they have; certificates above one that a known root issued, such as the old cross-signature of that root; or
 * certificates off the path.
 */
export function neededIn(
  { chain, linked }: Pick<Identity, 'chain' | 'linked'>,
  anchorsNamed: NamedAnchors,
): (index: number) => boolean {
  let count = 1
  while (count < linked && !isSelfSigned(chain[count] as X509Certificate)) {
    // Not for the leaf, which roots seldom issue.
    if (count > 1 && hasKnownRoot(chain[count - 1] as X509Certificate, anchorsNamed)) break
    count++
  }
  return (index) => index < count
}
