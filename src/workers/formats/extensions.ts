import { childrenOf, type DerNode, expectTag, nodeAt, oidOf } from './der.js'
import { OCTET_STRING } from './der-tags.js'

/** One extension of a certificate, a revocation list or a list entry. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** The OCTET STRING that contains the extension's DER. */
  readonly value: DerNode
}

/**
 * Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280, section 4.1), in file order.
 *
 * @throws RangeError
 */
export function extensionsIn(der: Uint8Array, list: DerNode): Extension[] {
  return childrenOf(der, list).map((extension) => {
    const [id, ...rest] = childrenOf(der, extension)
    const value = expectTag(der, rest.pop(), OCTET_STRING)
    const [critical] = rest
    if (!id || rest.length > 1) throw new RangeError('not an extension')
    // OpenSSL treats any non-zero byte as TRUE and accepts an explicit FALSE, which DER forbids.
    return { oid: oidOf(der, id), critical: critical !== undefined && der[critical.from] !== 0, value }
  })
}

/**
 * The single element in an extension's OCTET STRING.
 *
 * @throws RangeError
 */
export function elementIn(der: Uint8Array, { value }: Extension): DerNode {
  const element = nodeAt(der, value.from)
  if (element.to !== value.to) throw new RangeError('bytes follow the extension')
  return element
}

/**
 * Extensions by their object identifiers.
 *
 * @throws RangeError if one is duplicated. OpenSSL treats a duplicate as absent.
 */
export function byOid(extensions: readonly Extension[]): ReadonlyMap<string, Extension> {
  const found = new Map(extensions.map((extension) => [extension.oid, extension]))
  if (found.size < extensions.length) throw new RangeError('an extension is duplicated')
  return found
}
