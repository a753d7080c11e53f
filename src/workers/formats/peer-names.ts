import { hash } from 'node:crypto'

import { alternativeNamesIn } from './alternative-names.js'
import { commonNamesOf, publicKeyDerOf } from './x509.js'

/** What rules about peers can name in a certificate. Texts are as in the certificate, DNS names in lower case. */
export interface PeerNames {
  readonly uris: readonly string[]
  readonly dns: readonly string[]
  /** `null` if the subject has none, or several: then it does not say which one counts. */
  readonly commonName: string | null
  /** SHA-256 of the SubjectPublicKeyInfo, in lower-case hexadecimal. */
  readonly spki: string
}

/**
 * Reads the names from the DER itself: in Node's text forms, one name can contain text that looks like another.
 *
 * @throws RangeError if the names cannot be read. Such a peer must be refused.
 */
export function peerNamesOf(der: Uint8Array): PeerNames {
  const names = alternativeNamesIn(der)
  const valuesOf = (wanted: 'URI' | 'DNS') =>
    names.filter(({ kind }) => kind === wanted).map(({ value }) => value)
  const [commonName, another] = commonNamesOf(der)
  return {
    uris: valuesOf('URI'),
    dns: valuesOf('DNS'),
    commonName: another === undefined ? (commonName ?? null) : null,
    spki: hash('sha256', publicKeyDerOf(der)),
  }
}
