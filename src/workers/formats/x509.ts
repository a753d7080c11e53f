import {
  assertDer,
  base64Of,
  childOf,
  childrenOf,
  contentOf,
  type DerNode,
  isTime,
  nodeAt,
  oidOf,
} from './der.js'
import { BIT_STRING, CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, SEQUENCE } from './der-tags.js'
import { type Extension, extensionsIn } from './extensions.js'
import { isEc, type KeyKind, publicKeyKindOf, RSA_PSS } from './key-kinds.js'
import { canonicalName } from './name.js'

/*
 * Fields of a certificate's DER that Node's X509Certificate does not give on every supported version, or not
 * without parsing all of it.
 */

/** Bytes that a {@link subjectOf | subject} adds to the list of acceptable CAs in a handshake (RFC 8446, section 4.2.4). */
export function nameEntryBytes(subject: string): number {
  const length = Buffer.byteLength(subject, 'base64')
  return 2 + headerBytes(length) + length
}

/** The subject's DER in base64, to compare names by. */
export function subjectOf(der: Uint8Array): string {
  return base64Of(der, nodesOf(der).subject)
}

/** The issuer's DER in base64. */
export function issuerOf(der: Uint8Array): string {
  return base64Of(der, nodesOf(der).issuer)
}

/** The subject as OpenSSL compares it, see {@link canonicalName}. */
export function canonicalSubjectOf(der: Uint8Array): string {
  return canonicalName(der, nodesOf(der).subject)
}

/** The issuer as OpenSSL compares it, see {@link canonicalName}. */
export function canonicalIssuerOf(der: Uint8Array): string {
  return canonicalName(der, nodesOf(der).issuer)
}

/** The serial number's DER content in base64. */
export function serialOf(der: Uint8Array): string {
  return base64Of(der, nodesOf(der).serialNumber)
}

/** The object identifier of the algorithm that the certificate was signed with. */
export function signatureOid(der: Uint8Array): string {
  return oidOf(der, nodeAt(der, nodesOf(der).signatureAlgorithm.from))
}

/**
 * The object identifier of the digest that RSASSA-PSS signed with, which its parameters name: SHA-1 where they do not
 * (RFC 4055, section 3.1). `null` for any other signature.
 */
export function pssDigestOf(der: Uint8Array): string | null {
  const [id, parameters] = childrenOf(der, nodesOf(der).signatureAlgorithm)
  if (!id || oidOf(der, id) !== RSA_PSS) return null
  if (parameters?.tag !== SEQUENCE) return SHA1
  const hash = childrenOf(der, parameters).find(({ tag }) => tag === CONTEXT_0)
  const [algorithm] = hash ? childrenOf(der, hash) : []
  return algorithm ? oidOf(der, childOf(der, childrenOf(der, algorithm), 0, OBJECT_IDENTIFIER)) : SHA1
}

const SHA1 = '1.3.14.3.2.26'

/** Whether the key is on a curve that is written out in parameters instead of named (RFC 5480 forbids that). */
export function hasWrittenCurve(der: Uint8Array): boolean {
  return keyKindIn(der).isWrittenOut
}

/**
 * The form of a key that is a point of an elliptic curve, where it is not the uncompressed one; `null` for any other key.
 * SEC 1, section 2.3.3, has the compressed form. X9.62 also has a hybrid one, in full and with the sign of the compressed one.
 */
export function unusualPointOf(der: Uint8Array): 'compressed' | 'hybrid' | null {
  if (!isEc(keyKindIn(der))) return null
  const point = childOf(der, childrenOf(der, nodesOf(der).publicKeyInfo), 1, BIT_STRING)
  // A byte for the unused bits, then the form of the point.
  const form = der[point.from + 1]
  if (form === 0x02 || form === 0x03) return 'compressed'
  return form === 0x06 || form === 0x07 ? 'hybrid' : null
}

/** The key with its algorithm, DER content in base64. */
export function publicKeyInfoOf(der: Uint8Array): string {
  return base64Of(der, nodesOf(der).publicKeyInfo)
}

/** The bits of the key itself, without its algorithm. */
export function publicKeyBitsOf(der: Uint8Array): Buffer {
  const bits = childOf(der, childrenOf(der, nodesOf(der).publicKeyInfo), 1, BIT_STRING)
  // The number of unused bits comes first.
  return contentOf(der, { ...bits, from: bits.from + 1 })
}

/** The kind of the certificate's key. */
export function keyKindIn(der: Uint8Array): KeyKind {
  return publicKeyKindOf(der, nodesOf(der).publicKeyInfo)
}

/**
 * Reads everything in a certificate that this module can be asked for, so that no later question fails. OpenSSL takes
 * certificates in BER, and extensions that none of its own code looks into.
 *
 * @throws RangeError when any of it is not DER, or not where RFC 5280, section 4.1, has it.
 */
export function assertReadable(der: Uint8Array): void {
  assertDer(der)
  const nodes = nodesOf(der)
  // RFC 5280, section 4.1.1.2: both name the same algorithm; OpenSSL verifies no other signature.
  if (!contentOf(der, nodes.signatureAlgorithm).equals(contentOf(der, nodes.signature))) {
    throw new RangeError('not a certificate')
  }
  for (const name of [nodes.issuer, nodes.subject]) childrenOf(der, name)
  const [from, to] = childrenOf(der, nodes.validity)
  if (!from || !to || !isTime(from) || !isTime(to)) throw new RangeError('not a certificate')
  signatureOid(der)
  publicKeyKindOf(der, nodes.publicKeyInfo)
}

const EXTENDED_KEY_USAGE = '2.5.29.37'

/**
 * Reads the purposes that the extended key usage names, as object identifiers (RFC 5280, section 4.2.1.12). Node 20 reads past
 * a buffer, and may crash, when it prints a long identifier (`X509Certificate#keyUsage`).
 *
 * @throws RangeError when it is malformed.
 */
export function assertReadablePurposes(der: Uint8Array): void {
  purposesOf(der)
}

/**
 * The purposes that the extended key usage names; `null` without one.
 *
 * @throws RangeError when it is malformed.
 */
export function purposesOf(der: Uint8Array): string[] | null {
  const extension = extensionsOf(der).find(({ oid }) => oid === EXTENDED_KEY_USAGE)
  if (!extension) return null
  const value = contentOf(der, extension.value)
  return childrenOf(value, assertDer(value)).map((purpose) => oidOf(value, purpose))
}

/** The extensions of a certificate. */
export function extensionsOf(der: Uint8Array): Extension[] {
  const { extensions } = nodesOf(der)
  const [list] = extensions ? childrenOf(der, extensions) : []
  return list ? extensionsIn(der, list) : []
}

/** 1 for a certificate without a version, 3 for what has extensions. */
export function versionOf(der: Uint8Array): number {
  const { version } = nodesOf(der)
  const [number] = version ? childrenOf(der, version) : []
  return number ? (der[number.to - 1] as number) + 1 : 1
}

interface CertificateNodes {
  readonly version: DerNode | undefined
  readonly serialNumber: DerNode
  readonly signatureAlgorithm: DerNode
  readonly signature: DerNode
  readonly issuer: DerNode
  readonly validity: DerNode
  readonly subject: DerNode
  readonly publicKeyInfo: DerNode
  readonly extensions: DerNode | undefined
}

const EXTENSIONS_TAG = 0xa3

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature } (RFC 5280, section 4.1). */
function nodesOf(der: Uint8Array): CertificateNodes {
  const [tbs, algorithm] = childrenOf(der, nodeAt(der, 0))
  const all = tbs ? childrenOf(der, tbs) : []
  // [version], serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
  const version = all[0]?.tag === CONTEXT_0 ? all[0] : undefined
  const fields = version ? all.slice(1) : all
  const extensions = all.find(({ tag }) => tag === EXTENSIONS_TAG)
  return {
    version,
    signatureAlgorithm: childOf(der, [algorithm], 0, SEQUENCE),
    serialNumber: childOf(der, fields, 0, INTEGER),
    signature: childOf(der, fields, 1, SEQUENCE),
    issuer: childOf(der, fields, 2, SEQUENCE),
    validity: childOf(der, fields, 3, SEQUENCE),
    subject: childOf(der, fields, 4, SEQUENCE),
    publicKeyInfo: childOf(der, fields, 5, SEQUENCE),
    extensions,
  }
}

/** Tag and length of an element. */
function headerBytes(length: number): number {
  return length < 0x80 ? 2 : length < 0x100 ? 3 : 4
}
