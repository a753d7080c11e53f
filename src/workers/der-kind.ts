import { childrenOf, isTime, nodeAt } from './der.js'
import { INTEGER, OCTET_STRING, SEQUENCE } from './der-tags.js'

/** What a file of DER is, as far as the help for its owner goes. */
export type DerKind = 'certificate' | 'private key' | 'revocation list' | 'PKCS#12'

/** Whether bytes are one DER (or BER) sequence and no text: `0`, its tag, is also a digit. */
export function looksLikeDer(bytes: Uint8Array): boolean {
  const [tag, length] = bytes
  if (tag !== SEQUENCE || length === undefined) return false
  return (length & 0x80) !== 0 || bytes.length === length + 2
}

/** Goes by the outermost fields; `null` for what is cut off or something else. */
export function derKind(der: Uint8Array): DerKind | null {
  try {
    const [first, second] = childrenOf(der, nodeAt(der, 0))
    if (!first || !second) return null
    // PFX ::= SEQUENCE { version INTEGER (3), ... }; the forms of a key begin with 0 or 1, or are encrypted.
    if (first.tag === INTEGER) return der[first.from] === 3 ? 'PKCS#12' : 'private key'
    if (second.tag === OCTET_STRING) return 'private key'
    return childrenOf(der, first).some(isTime) ? 'revocation list' : 'certificate'
  } catch {
    return null
  }
}
