import type { KeyObject } from 'node:crypto'
import { createPublicKey, randomBytes, sign } from 'node:crypto'

import { BitString, Integer, Utf8String } from 'asn1js'
import type { Extension } from 'pkijs'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  Certificate,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
  TimeType,
} from 'pkijs'

import { toPem } from '../../../workers/formats/pem.js'

export interface CertificateRequest {
  readonly subject: string
  readonly issuer: string
  readonly key: KeyObject
  readonly issuerKey: KeyObject
  readonly days: number
  readonly extensions: Extension[]
}

/**
 * A certificate as PEM, signed with ECDSA and SHA-256. `node:crypto` signs, so that keys stay `KeyObject`s, and pkijs needs
 * no crypto engine.
 */
export function signCertificate({
  subject,
  issuer,
  key,
  issuerKey,
  days,
  extensions,
}: CertificateRequest): string {
  const now = Date.now()
  const algorithm = new AlgorithmIdentifier({ algorithmId: '1.2.840.10045.4.3.2' })
  const certificate = new Certificate({
    version: 2,
    serialNumber: new Integer({ valueHex: randomSerial() }),
    signature: algorithm,
    issuer: commonName(issuer),
    notBefore: time(now - backdatedMs),
    notAfter: time(now + days * dayMs),
    subject: commonName(subject),
    subjectPublicKeyInfo: PublicKeyInfo.fromBER(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    extensions,
    signatureAlgorithm: algorithm,
  })
  const toBeSigned = new Uint8Array(certificate.encodeTBS().toBER())
  certificate.signatureValue = new BitString({ valueHex: sign('sha256', toBeSigned, issuerKey) })
  return toPem('CERTIFICATE', new Uint8Array(certificate.toSchema(true).toBER()))
}

const dayMs = 86_400_000

/** Milliseconds before now at which a certificate becomes valid, for clients whose clock is behind. */
const backdatedMs = 3_600_000

/** 127 random bits; the first byte needs no padding in DER. */
function randomSerial(): Buffer {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  return serial
}

function commonName(name: string): RelativeDistinguishedNames {
  const value = new Utf8String({ value: name })
  return new RelativeDistinguishedNames({
    typesAndValues: [new AttributeTypeAndValue({ type: '2.5.4.3', value })],
  })
}

/** UTCTime, with two-digit years, until 2049 (RFC 5280, section 4.1.2.5). */
function time(ms: number): Time {
  const value = new Date(ms)
  return new Time({
    type: value.getUTCFullYear() < 2050 ? TimeType.UTCTime : TimeType.GeneralizedTime,
    value,
  })
}
