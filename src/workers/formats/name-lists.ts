import { childrenOf, type DerNode, expectTag } from './der.js'
import { CONTEXT_0, SEQUENCE } from './der-tags.js'

/*
 * OpenSSL decodes the names and name constraints of a certificate when it first uses it, and refuses every chain with a
 * certificate where this fails (`ossl_x509v3_cache_extensions`).
 */

/**
 * GeneralNames ::= SEQUENCE OF CHOICE { otherName [0], ..., registeredID [8] } (RFC 5280, section 4.2.1.6).
 *
 * @throws RangeError if it is malformed.
 */
export function assertGeneralNames(der: Uint8Array, node: DerNode): void {
  for (const { tag } of childrenOf(der, expectTag(der, node, SEQUENCE))) {
    if (!isGeneralName(tag)) throw new RangeError('not general names')
  }
}

/**
 * NameConstraints ::= SEQUENCE { permitted [0], excluded [1] }, each a list of SEQUENCE { base GeneralName, ... } (RFC
 * 5280, section 4.2.1.10).
 *
 * @throws RangeError if it is malformed.
 */
export function assertNameConstraints(der: Uint8Array, node: DerNode): void {
  for (const list of childrenOf(der, expectTag(der, node, SEQUENCE))) {
    if (list.tag !== CONTEXT_0 && list.tag !== CONTEXT_0 + 1) throw new RangeError('not name constraints')
    for (const subtree of childrenOf(der, list)) {
      const [base] = childrenOf(der, expectTag(der, subtree, SEQUENCE))
      if (!base || !isGeneralName(base.tag)) throw new RangeError('not name constraints')
    }
  }
}

/** A context-class tag with a number up to 8. */
function isGeneralName(tag: number): boolean {
  return (tag & 0xc0) === 0x80 && (tag & 0x1f) <= 8
}
