import { childrenOf, type DerNode, isTime, nodeAt } from './der.js'
import { contentOf } from './x509.js'

/** Names a certificate as revocation lists do: by its issuer and its serial number, both as base64 of DER content. */
export function revocationName(issuer: string, serial: string): string {
  return `${issuer} ${serial}`
}

/** {@link revocationName} of every certificate that a revocation list names. */
export function revokedIn(der: Uint8Array): string[] {
  const { issuer, rest } = fieldsOf(der)
  const [first] = rest
  // Lists that revoke nothing have none, and extensions in its place.
  if (first?.tag !== SEQUENCE) return []
  return childrenOf(der, first).map((entry) =>
    revocationName(contentOf(der, issuer), contentOf(der, nodeAt(der, entry.from))),
  )
}

const INTEGER = 0x02
const SEQUENCE = 0x30

/**
 * CertificateList ::= SEQUENCE { tbsCertList { [version], signature, issuer, thisUpdate, [nextUpdate],
 * [revokedCertificates], [extensions] }, signatureAlgorithm, signature } (RFC 5280, section 5.1).
 */
function fieldsOf(der: Uint8Array) {
  const outer = nodeAt(der, 0)
  const [tbs, algorithm, signature] = childrenOf(der, outer) as [DerNode, DerNode, DerNode]
  const fields = childrenOf(der, tbs)
  const named = fields.slice(fields[0]?.tag === INTEGER ? 2 : 1)
  const [issuer, thisUpdate, next, ...after] = named as [DerNode, DerNode, ...DerNode[]]
  const [nextUpdate, rest] = next && isTime(next) ? [next, after] : [null, named.slice(2)]
  return { outer, tbs, algorithm, signature, issuer, thisUpdate, nextUpdate, rest }
}
