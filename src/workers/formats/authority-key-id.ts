import { base64Of, childrenOf, type DerNode, expectTag } from './der.js'
import { SEQUENCE } from './der-tags.js'
import { canonicalName } from './name.js'

/** AuthorityKeyIdentifier (RFC 5280, section 4.2.1.1): the key that signed a certificate or a revocation list. */
export interface AuthorityKeyId {
  /** Base64. */
  readonly keyId: string | null
  /** Canonical form of the issuer of the CA certificate. */
  readonly issuer: string | null
  /** Serial number of the CA certificate, DER content in base64. */
  readonly serial: string | null
}

/**
 * AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0], authorityCertIssuer [1] GeneralNames, authorityCertSerialNumber
 * [2] }, all optional.
 *
 * @throws RangeError
 */
export function authorityKeyIdOf(der: Uint8Array, node: DerNode): AuthorityKeyId {
  const fields = childrenOf(der, expectTag(der, node, SEQUENCE))
  const order = fields.map(({ tag }) => TAGS.indexOf(tag))
  if (order.some((place, i) => place < 0 || (i > 0 && place <= (order[i - 1] as number)))) {
    throw new RangeError('not an authority key identifier')
  }
  const [keyId, issuer, serial] = TAGS.map((tag) => fields.find((field) => field.tag === tag))
  const directory = issuer && childrenOf(der, issuer).find(({ tag }) => tag === DIRECTORY_NAME)
  const [name] = directory ? childrenOf(der, directory) : []
  return {
    keyId: keyId ? base64Of(der, keyId) : null,
    issuer: name ? canonicalName(der, name) : null,
    serial: serial ? base64Of(der, serial) : null,
  }
}

/** keyIdentifier, authorityCertIssuer, authorityCertSerialNumber. */
const TAGS = [0x80, 0xa1, 0x82]
const DIRECTORY_NAME = 0xa4

/** Whether every field present matches this certificate (`X509_check_akid`). */
export function namesKey(
  { keyId, issuer, serial }: AuthorityKeyId,
  ca: { readonly keyId: string | null; readonly issuer: string; readonly serial: string },
): boolean {
  if (keyId !== null && ca.keyId !== null && keyId !== ca.keyId) return false
  if (serial !== null && serial !== ca.serial) return false
  return issuer === null || issuer === ca.issuer
}
