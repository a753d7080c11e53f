import { isSelfSigned } from './certificates.js'
import type { Identity } from './identity.js'

/**
 * Whether a client needs the certificate at this place of the chain to verify the leaf. It needs no root, because it has its
 * own copy of the roots that it trusts, and no certificate that the leaf does not lead to.
 */
export function isNeeded({ chain, linked }: Pick<Identity, 'chain' | 'linked'>, index: number): boolean {
  const certificate = chain[index]
  return index === 0 || (certificate !== undefined && index < linked && !isSelfSigned(certificate))
}
