import type { KeyObject } from 'node:crypto'
import { createHash, randomBytes } from 'node:crypto'

import { bits, constructed, integer, oid, sequence, set, time, utf8 } from './der.js'
import type { Signer } from './keys.js'

export interface CertificateFields {
  /** Encoded names, see {@link distinguishedName}. */
  readonly issuer: Buffer
  readonly subject: Buffer
  /** Upper-case hex, as `X509Certificate#serialNumber` prints it. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: KeyObject
  readonly extensions: readonly Buffer[]
  /** Version 1 has no extensions. @defaultValue 3 */
  readonly version?: 1 | 3
}

/** The DER of a certificate. */
export function signCertificate(fields: CertificateFields, signer: Signer): Buffer {
  const { extensions, version = 3 } = fields
  return signed(signer, [
    ...(version === 1 ? [] : [constructed(0, integer(2))]),
    integer(BigInt(`0x${fields.serial}`)),
    signer.algorithm,
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    publicKeyInfo(fields.publicKey),
    ...(extensions.length === 0 ? [] : [constructed(3, sequence(...extensions))]),
  ])
}

/** The signed structure of certificates, revocation lists and requests. */
export function signed(signer: Signer, body: readonly Buffer[]): Buffer {
  return signedWhole(signer, sequence(...body))
}

/** The signed structure around a body that is already encoded. */
export function signedWhole(signer: Signer, toBeSigned: Buffer): Buffer {
  return sequence(toBeSigned, signer.algorithm, bits(signer.sign(toBeSigned)))
}

/** A name with one common name; an empty text gives the empty name of short-lived public certificates. */
export function distinguishedName(commonName: string): Buffer {
  return commonName === '' ? sequence() : sequence(set(sequence(oid('2.5.4.3'), utf8(commonName))))
}

export function publicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

/** Key identifier by RFC 7093, section 2, method 4. */
export function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha256').update(publicKeyInfo(key)).digest().subarray(0, 20)
}

/** 127 random bits: positive, and always 32 digits long. */
export function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex').toUpperCase()
}

/** In the format of `X509Certificate#fingerprint256`. */
export function fingerprint256(der: Uint8Array): string {
  const digits = createHash('sha256').update(der).digest('hex').toUpperCase()
  return digits.replaceAll(/..(?!$)/g, '$&:')
}
