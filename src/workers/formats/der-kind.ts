import { childrenOf, type DerNode, isTime, nodeAt, oidOf } from './der.js'
import {
  BIT_STRING,
  CONTEXT_0,
  ENUMERATED,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
} from './der-tags.js'

/** Kind of a DER file, as precise as hints need it. */
export type DerKind =
  | 'certificate'
  | 'certificate request'
  | 'private key'
  | 'public key'
  | 'revocation list'
  | 'OCSP response'
  | 'DH parameters'
  | 'PKCS#7'
  | 'PKCS#12'

/** The kind as a noun in a message. */
export function nounOf(kind: DerKind): string {
  if (kind.startsWith('PKCS') || kind === 'DH parameters') return kind
  return kind === 'OCSP response' ? `an ${kind}` : `a ${kind}`
}

/** Whether bytes are one DER (or BER) sequence and not text: the tag 0x30 is also the digit `0`. */
export function looksLikeDer(bytes: Uint8Array): boolean {
  const [tag, length] = bytes
  if (tag !== SEQUENCE || length === undefined) return false
  return (length & 0x80) !== 0 || bytes.length === length + 2
}

/** Decides by the outermost fields; `null` if the file is truncated or of another kind. */
export function derKind(der: Uint8Array): DerKind | null {
  if (isPkcs7(der)) return 'PKCS#7'
  if (isOcspResponse(der)) return 'OCSP response'
  try {
    const [first, second] = childrenOf(der, nodeAt(der, 0))
    if (!first || !second) return null
    if (first.tag === INTEGER) return kindByNumber(der, first)
    if (second.tag === OCTET_STRING) return 'private key'
    if (second.tag === BIT_STRING) return 'public key'
    const fields = childrenOf(der, first)
    if (fields.some(isTime)) return 'revocation list'
    return isRequest(der, fields) ? 'certificate request' : 'certificate'
  } catch {
    return null
  }
}

/** PFX ::= SEQUENCE { version INTEGER (3), ... }; key formats begin with 0 or 1, DHParameter with its prime. */
function kindByNumber(der: Uint8Array, number: DerNode): DerKind | null {
  if (number.to - number.from > 1) return 'DH parameters'
  const version = der[number.from] ?? Number.NaN
  if (version === 3) return 'PKCS#12'
  return version <= 1 ? 'private key' : null
}

/** CertificationRequestInfo ::= SEQUENCE { version INTEGER, subject Name, subjectPKInfo, attributes [0] } (RFC 2986). */
function isRequest(der: Uint8Array, [version, subject, key, attributes]: readonly DerNode[]): boolean {
  if (version?.tag !== INTEGER || subject?.tag !== SEQUENCE || key?.tag !== SEQUENCE) return false
  const isKey = childrenOf(der, key)[1]?.tag === BIT_STRING
  return isKey && (attributes === undefined || attributes.tag === CONTEXT_0)
}

/** Whether it starts as OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, ... } (RFC 6960, section 4.2.1). */
export function isOcspResponse(der: Uint8Array): boolean {
  if (der[0] !== SEQUENCE || der[1] === undefined) return false
  const at = der[1] > 0x80 ? 2 + (der[1] & 0x7f) : 2
  return der[at] === ENUMERATED && der[at + 1] === 1
}

const SIGNED_DATA = '1.2.840.113549.1.7.2'

/**
 * Whether it starts as PKCS#7: ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, ... } (RFC 2315, section 7).
 * It may be BER, so only the start is read.
 */
export function isPkcs7(ber: Uint8Array): boolean {
  if (ber[0] !== SEQUENCE || ber[1] === undefined) return false
  const at = ber[1] > 0x80 ? 2 + (ber[1] & 0x7f) : 2
  if (ber[at] !== OBJECT_IDENTIFIER) return false
  try {
    return oidOf(ber, nodeAt(ber, at)) === SIGNED_DATA
  } catch {
    return false
  }
}
