import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

import {
  BIT_STRING,
  BOOLEAN,
  CONTEXT_0,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
  SET,
  UTC_TIME,
  UTF8_STRING,
} from '../../workers/formats/der-tags.js'

/*
 * Certificates for the probe of a runtime. They are created in memory, without files or fixed keys.
 */

/** A self-signed certificate, its key, and its revocation list, which revokes the certificate itself. */
export interface ProbeIdentity {
  readonly cert: string
  readonly key: string
  readonly crl: string
  readonly fingerprint256: string
}

const DAY_MS = 86_400_000
const OIDS = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
} as const
const DNS_NAME = 0x82
const CONTEXT_3 = 0xa3

export function createProbeIdentity(name: string): ProbeIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const serial = der(INTEGER, Buffer.concat([Buffer.of(1), randomBytes(8)]))
  const subject = nameOf(name)
  const algorithm = der(SEQUENCE, oid(OIDS.ecdsaWithSha256))
  const [from, to] = [timeAt(-DAY_MS), timeAt(DAY_MS)]
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const extensions = [
    extension(OIDS.subjectAltName, der(SEQUENCE, der(DNS_NAME, Buffer.from(name)))),
    extension(OIDS.basicConstraints, der(SEQUENCE, der(BOOLEAN, Buffer.of(0xff)))),
  ]
  const certificate = signed(
    der(
      SEQUENCE,
      ...[der(CONTEXT_0, der(INTEGER, Buffer.of(2))), serial, algorithm, subject, der(SEQUENCE, from, to)],
      ...[subject, spki, der(CONTEXT_3, der(SEQUENCE, ...extensions))],
    ),
    algorithm,
    privateKey,
  )
  const list = signed(
    der(
      SEQUENCE,
      ...[der(INTEGER, Buffer.of(1)), algorithm, subject, from, to],
      der(SEQUENCE, der(SEQUENCE, serial, from)),
    ),
    algorithm,
    privateKey,
  )
  return {
    cert: pem('CERTIFICATE', certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    crl: pem('X509 CRL', list),
    fingerprint256: createHash('sha256').update(certificate).digest('hex'),
  }
}

/** SEQUENCE { content, AlgorithmIdentifier, BIT STRING } (RFC 5280, sections 4.1 and 5.1). */
function signed(content: Buffer, algorithm: Buffer, key: KeyObject): Buffer {
  const signature = sign('sha256', content, key)
  return der(SEQUENCE, content, algorithm, der(BIT_STRING, Buffer.of(0), signature))
}

function nameOf(name: string): Buffer {
  const value = der(UTF8_STRING, Buffer.from(name))
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid(OIDS.commonName), value)))
}

function extension(id: readonly number[], value: Buffer): Buffer {
  return der(SEQUENCE, oid(id), der(OCTET_STRING, value))
}

/** UTCTime: `YYMMDDHHMMSSZ`. */
function timeAt(offsetMs: number): Buffer {
  const digits = new Date(Date.now() + offsetMs).toISOString().replace(/\D/g, '')
  return der(UTC_TIME, Buffer.from(`${digits.slice(2, 14)}Z`))
}

function oid(bytes: readonly number[]): Buffer {
  return der(OBJECT_IDENTIFIER, Buffer.from(bytes))
}

function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
