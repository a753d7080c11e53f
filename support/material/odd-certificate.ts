import { pem } from './der.js'
import { type KeyPair, type Signer, signerOf } from './keys.js'
import { derOf } from './pem-text.js'
import { distinguishedName, randomSerial, signCertificate } from './x509.js'

export interface OddOptions {
  readonly key: KeyPair
  /** Its own key if omitted. */
  readonly signer?: Signer | undefined
  readonly subject: string
  /** The subject if omitted. */
  readonly issuer?: string | undefined
  /** Encoded, see `extension()`. */
  readonly extensions?: readonly Buffer[] | undefined
  /** Version 1 has no extensions. @defaultValue 3 */
  readonly version?: 1 | 3
}

/** The DER of a certificate of any form, valid for an hour around now. */
export function oddCertificate(options: OddOptions): Buffer {
  const { key, subject, issuer = subject, extensions = [], version = 3 } = options
  const signer = options.signer ?? signerOf(key.privateKey)
  const [from, to] = [-1, 1].map((hours) => new Date(Date.now() + hours * 3_600_000)) as [Date, Date]
  const names = { subject: distinguishedName(subject), issuer: distinguishedName(issuer) }
  const validity = { notBefore: from, notAfter: to }
  return signCertificate(
    { ...names, ...validity, serial: randomSerial(), publicKey: key.publicKey, extensions, version },
    signer,
  )
}

/** With one bit of its signature flipped. */
export function withDamagedSignature(certPem: string): string {
  const der = derOf(certPem)
  const at = der.length - 3
  der[at] = (der[at] as number) ^ 1
  return pem('CERTIFICATE', der)
}
