import { constructed, integer, pem, sequence, time } from './der.js'
import { type KeyPair, type Signer, signerOf } from './keys.js'
import { derOf } from './pem-text.js'
import { distinguishedName, publicKeyInfo, randomSerial, signed } from './x509.js'

export interface OddOptions {
  readonly key: KeyPair
  /** Its own key when left out. */
  readonly signer?: Signer | undefined
  readonly subject: string
  /** The subject when left out. */
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
  return signed(signer, [
    ...(version === 1 ? [] : [constructed(0, integer(2))]),
    integer(BigInt(`0x${randomSerial()}`)),
    signer.algorithm,
    distinguishedName(issuer),
    sequence(time(from), time(to)),
    distinguishedName(subject),
    publicKeyInfo(key.publicKey),
    ...(extensions.length === 0 ? [] : [constructed(3, sequence(...extensions))]),
  ])
}

/** With one bit of its signature flipped. */
export function withDamagedSignature(certPem: string): string {
  const der = derOf(certPem)
  const at = der.length - 3
  der[at] = (der[at] as number) ^ 1
  return pem('CERTIFICATE', der)
}
