import { hash } from 'node:crypto'

import { element } from './ber.js'
import { SEQUENCE } from './der-tags.js'
import type { OcspCertId } from './ocsp-response.js'
import { HASHES } from './signature.js'
import { issuerOf, publicKeyBitsOf, serialOf } from './x509.js'

/** SHA-3, which no known responder uses here. */
const MORE_HASHES: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.7': 'sha3-224',
  '2.16.840.1.101.3.4.2.8': 'sha3-256',
  '2.16.840.1.101.3.4.2.9': 'sha3-384',
  '2.16.840.1.101.3.4.2.10': 'sha3-512',
}

/**
 * Whether an identifier matches a leaf signed by this issuer (RFC 6960, section 4.1.1). Two CAs of the same name differ
 * in their key digest.
 *
 * @param leaf DER.
 * @param issuer DER.
 */
export function identifies(id: OcspCertId, leaf: Uint8Array, issuer: Uint8Array): boolean {
  const algorithm = HASHES[id.algorithm] ?? MORE_HASHES[id.algorithm]
  if (algorithm === undefined || id.serial !== serialOf(leaf)) return false
  const name = element(SEQUENCE, [Buffer.from(issuerOf(leaf), 'base64')])
  return (
    id.issuerNameHash === hash(algorithm, name, 'base64') &&
    id.issuerKeyHash === hash(algorithm, publicKeyBitsOf(issuer), 'base64')
  )
}
