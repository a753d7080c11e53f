import { createPublicKey, hash, type KeyObject, type X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import { oneLine } from '../base/short-text.js'
import { alternativeNamesOf } from '../formats/alternative-names.js'
import { nodeAt } from '../formats/der.js'
import { publicKeyKindOf } from '../formats/key-kinds.js'
import { recentKeyName } from '../formats/recent-keys.js'
import type { CertificateFacts, ChainCertificate, OcspFacts } from '../protocol/material.js'

/**
 * Facts of a leaf and its chain.
 *
 * @param ocsp facts of the response verified for the leaf.
 * @param isNeeded whether clients need the certificate at this index; the leaf is at 0.
 */
export function factsOf(
  certificates: readonly X509Certificate[],
  isNeeded: (index: number) => boolean = () => true,
  ocsp?: OcspFacts,
): CertificateFacts {
  const [leaf, ...issuers] = certificates as [X509Certificate, ...X509Certificate[]]
  const chain = issuers.map((issuer, i): ChainCertificate => {
    return {
      subject: oneLine(issuer.subject),
      fingerprint256: issuer.fingerprint256,
      notBefore: isoTime(notBeforeOf(issuer)),
      notAfter: isoTime(notAfterOf(issuer)),
      needed: isNeeded(i + 1),
    }
  })
  const ends = certificates.filter((_, i) => i === 0 || chain[i - 1]?.needed).map(notAfterOf)
  return {
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    names: namesOf(leaf),
    serial: leaf.serialNumber,
    fingerprint256: leaf.fingerprint256,
    notBefore: isoTime(notBeforeOf(leaf)),
    notAfter: isoTime(notAfterOf(leaf)),
    chain,
    chainNotAfter: isoTime(Math.min(...ends)),
    keyType: keyTypeOf(leaf.publicKey),
    ...(ocsp ? { ocsp } : {}),
  }
}

/** In milliseconds since the epoch. Node 20 exposes only the string. */
export function notBeforeOf(certificate: X509Certificate): number {
  return Date.parse(certificate.validFrom)
}

/** In milliseconds since the epoch. */
export function notAfterOf(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo)
}

/** Same as `X509Certificate#fingerprint256`, without parsing. */
export function fingerprint256Of(der: Uint8Array): string {
  return hash('sha256', der, 'hex')
    .toUpperCase()
    .replace(/..(?!$)/g, '$&:')
}

/** The names of the subjectAltName extension as text (see `certificate-name.ts`), in file order. */
export function namesOf(certificate: X509Certificate): readonly string[] {
  return alternativeNamesOf(certificate).texts
}

/** `null` for a key of a kind unknown to this OpenSSL, for which `publicKey` throws. */
export function publicKeyOf(certificate: X509Certificate): KeyObject | null {
  try {
    return certificate.publicKey
  } catch {
    return null
  }
}

/** For example `EC prime256v1`, `RSA 2048`, `RSA-PSS 2048`, `ED25519`, `ML-DSA-65`. */
export function keyTypeOf(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  const type = key.asymmetricKeyType?.toUpperCase() ?? recentTypeOf(key)
  return [type, namedCurve ?? modulusLength].filter(Boolean).join(' ')
}

/** Node 22 serves ML-DSA keys but has no name for them. */
function recentTypeOf(key: KeyObject): string | undefined {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return recentKeyName(publicKeyKindOf(der, nodeAt(der, 0)).algorithm)
}
