import { childrenOf, nodeAt, oidOf } from './der.js'
import { OCTET_STRING, SEQUENCE, UTF8_STRING } from './der-tags.js'

/** The effect of `TRUSTED CERTIFICATE` trust settings on a trust anchor, for OpenSSL and TLS clients. */
export interface TrustSettings {
  /**
   * It is not trusted for client certificates: client authentication is rejected, or missing from its trusted purposes.
   */
  readonly rejectsClients: boolean
  /** It is trusted directly, even if it is not self-signed and its issuer is not trusted. */
  readonly explicit: boolean
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_PURPOSE = '2.5.29.37.0'

const NONE: TrustSettings = { rejectsClients: false, explicit: false }

/**
 * Trust settings after a certificate: X509_CERT_AUX ::= SEQUENCE { trust SEQUENCE OF OBJECT IDENTIFIER OPTIONAL, reject
 * [0] IMPLICIT SEQUENCE OF OBJECT IDENTIFIER OPTIONAL, alias UTF8String OPTIONAL, keyid OCTET STRING OPTIONAL, other
 * [1] IMPLICIT SEQUENCE OF AlgorithmIdentifier OPTIONAL } (OpenSSL, crypto/x509/x_x509a.c). Evaluated as `obj_trust` in
 * crypto/x509/x509_trust.c does.
 *
 * @throws RangeError for anything else. OpenSSL silently drops some malformed settings, including rejections.
 */
export function trustSettingsOf(der: Uint8Array): TrustSettings {
  const { to } = nodeAt(der, 0)
  if (to === der.length) return NONE
  const settings = nodeAt(der, to)
  if (settings.tag !== SEQUENCE || settings.to !== der.length) throw new RangeError('not trust settings')
  const lists = new Map<number, readonly string[]>()
  let last = -1
  for (const field of childrenOf(der, settings)) {
    const place = ORDER.indexOf(field.tag)
    if (place <= last) throw new RangeError('not trust settings')
    last = place
    if (field.tag === TRUST || field.tag === REJECT) {
      lists.set(
        field.tag,
        childrenOf(der, field).map((purpose) => oidOf(der, purpose)),
      )
    }
  }
  const forClients = (tag: number) =>
    lists.get(tag)?.some((purpose) => purpose === CLIENT_AUTH || purpose === ANY_PURPOSE)
  const rejectsClients = forClients(REJECT) === true || forClients(TRUST) === false
  return { rejectsClients, explicit: !rejectsClients && forClients(TRUST) === true }
}

const TRUST = SEQUENCE
const REJECT = 0xa0
/** trust, reject, alias, keyid, other. */
const ORDER = [TRUST, REJECT, UTF8_STRING, OCTET_STRING, 0xa1]
