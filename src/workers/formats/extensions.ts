import { childrenOf, type DerNode, expected, nodeAt, oidOf } from './der.js'
import { OCTET_STRING } from './der-tags.js'

/** One extension of a certificate, a revocation list or an entry of one. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** The OCTET STRING around the extension's own DER. */
  readonly value: DerNode
}

/**
 * Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280, section 4.1); in the order they have.
 *
 * @throws RangeError
 */
export function extensionsIn(der: Uint8Array, list: DerNode): Extension[] {
  return childrenOf(der, list).map((extension) => {
    const [id, ...rest] = childrenOf(der, extension)
    const value = expected(der, rest.pop(), OCTET_STRING)
    const [critical] = rest
    if (!id || rest.length > 1) throw new RangeError('not an extension')
    // OpenSSL takes any other byte than 0 for TRUE, and a FALSE that DER leaves out.
    return { oid: oidOf(der, id), critical: critical !== undefined && der[critical.from] !== 0, value }
  })
}

/**
 * The one element in an extension's OCTET STRING.
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
 * @throws RangeError when one comes twice. OpenSSL reads that as one that is not there.
 */
export function byOid(extensions: readonly Extension[]): ReadonlyMap<string, Extension> {
  const found = new Map(extensions.map((extension) => [extension.oid, extension]))
  if (found.size < extensions.length) throw new RangeError('an extension comes twice')
  return found
}
