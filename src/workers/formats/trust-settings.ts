import { childrenOf, nodeAt, oidOf } from './der.js'
import { OCTET_STRING, SEQUENCE, UTF8_STRING } from './der-tags.js'

/** What the trust settings of a `TRUSTED CERTIFICATE` make of a trust anchor, for OpenSSL and TLS clients. */
export interface TrustSettings {
  /** No client is accepted through it: client authentication is rejected, or not among what it is trusted for. */
  readonly rejectsClients: boolean
  /** It is trusted by itself, even where it did not sign itself and its issuer is not trusted. */
  readonly explicit: boolean
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_PURPOSE = '2.5.29.37.0'

const NONE: TrustSettings = { rejectsClients: false, explicit: false }

/**
 * The settings that may follow a certificate: X509_CERT_AUX ::= SEQUENCE { trust SEQUENCE OF OBJECT IDENTIFIER OPTIONAL,
 * reject [0] IMPLICIT SEQUENCE OF OBJECT IDENTIFIER OPTIONAL, alias UTF8String OPTIONAL, keyid OCTET STRING OPTIONAL,
 * other [1] IMPLICIT SEQUENCE OF AlgorithmIdentifier OPTIONAL } (OpenSSL, crypto/x509/x_x509a.c). They are weighed as
 * `obj_trust` in crypto/x509/x509_trust.c does.
 *
 * @throws RangeError for anything else. OpenSSL leaves some of it out without an error, and with it what is rejected.
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
