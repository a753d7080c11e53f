import { createHash, type X509Certificate } from 'node:crypto'

import { base64Of } from '../formats/der.js'
import { extensionsOf, signatureOid, subjectOf } from '../formats/x509.js'
import type { Identity } from '../judge/identity.js'
import { keyTypeOf } from '../parse/facts.js'

/**
 * Digest of the properties of a pair on which OpenSSL and verifying clients depend: key type and size, signature
 * algorithm of the leaf, extensions, issuers. Pairs of one rehearsalKey differ only in names, dates and keys.
 */
export function rehearsalKeyOf({ chain }: Identity): string {
  return digest(partsOf(chain))
}

/**
 * Key of all pairs that are served together, with the names that issuers may constrain: a renewal keeps it. Includes
 * `requestCert`, because a rehearsal without it does not cover servers that request client certificates.
 */
export function servedRehearsalKeyOf(
  identities: readonly Identity[],
  dhparam: string | null,
  requestCert: boolean,
): string {
  const pairs = identities.map(({ chain }) => {
    const leaf = chain[0] as X509Certificate
    return [partsOf(chain), subjectOf(leaf.raw), leaf.subjectAltName]
  })
  return digest([pairs, dhparam, requestCert])
}

function partsOf(chain: readonly X509Certificate[]): unknown {
  const [leaf, ...issuers] = chain as [X509Certificate, ...X509Certificate[]]
  const extensions = extensionsOf(leaf.raw).map(({ oid, critical, value }) => [
    oid,
    critical,
    OF_ONE_CERTIFICATE.has(oid) ? null : base64Of(leaf.raw, value),
  ])
  return [
    keyTypeOf(leaf.publicKey),
    signatureOid(leaf.raw),
    extensions,
    issuers.map(({ fingerprint256 }) => fingerprint256),
  ]
}

/** Extensions whose content differs per certificate or changes with the issuer's URLs. */
const OF_ONE_CERTIFICATE = new Set([
  '2.5.29.14', // subject key identifier
  '2.5.29.17', // subject alternative name
  '2.5.29.31', // CRL distribution points
  '1.3.6.1.5.5.7.1.1', // authority information access
  '1.3.6.1.4.1.11129.2.4.2', // signed certificate timestamps (RFC 6962, section 3.3)
])

function digest(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
