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
  timeOf,
} from './der.js'
import { BIT_STRING, CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, UTC_TIME } from './der-tags.js'
import { type Extension, extensionsIn } from './extensions.js'
import { isEc, type KeyKind, publicKeyKindOf, RSA_PSS } from './key-kinds.js'
import { canonicalName, commonNamesIn } from './name.js'

/*
 * Fields of a certificate's DER that Node's X509Certificate does not expose on every supported version, or only by
 * parsing everything.
 */

/** Bytes that a {@link subjectOf | subject} adds to the handshake's list of acceptable CAs (RFC 8446, section 4.2.4). */
export function nameEntryBytes(subject: string): number {
  const length = Buffer.byteLength(subject, 'base64')
  return 2 + headerBytes(length) + length
}

/** The subject's DER in base64, for comparing names. */
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

/** The common names in the subject, see {@link commonNamesIn}. */
export function commonNamesOf(der: Uint8Array): string[] {
  return commonNamesIn(der, nodesOf(der).subject)
}

/** The serial number's DER content in base64. */
export function serialOf(der: Uint8Array): string {
  return base64Of(der, nodesOf(der).serialNumber)
}

/** The object identifier of the certificate's signature algorithm. */
export function signatureOid(der: Uint8Array): string {
  return oidOf(der, nodeAt(der, nodesOf(der).signatureAlgorithm.from))
}

/**
 * The object identifier of the RSASSA-PSS digest; SHA-1 if the parameters name none (RFC 4055, section 3.1). `null` for
 * any other signature.
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

/** Whether the key's curve is given by explicit parameters (forbidden by RFC 5480). */
export function hasExplicitCurve(der: Uint8Array): boolean {
  return keyKindIn(der).isExplicit
}

/**
 * The form of an elliptic-curve point that is not uncompressed; `null` for any other key. SEC 1, section 2.3.3, defines
 * the compressed form. X9.62 also defines a hybrid form: both coordinates and the sign of the compressed form.
 */
export function unusualPointOf(der: Uint8Array): 'compressed' | 'hybrid' | null {
  if (!isEc(keyKindIn(der))) return null
  const point = childOf(der, childrenOf(der, nodesOf(der).publicKeyInfo), 1, BIT_STRING)
  // One byte for the unused bits, then the point's form byte.
  const form = der[point.from + 1]
  if (form === 0x02 || form === 0x03) return 'compressed'
  return form === 0x06 || form === 0x07 ? 'hybrid' : null
}

/** Key and algorithm, DER content in base64. */
export function publicKeyInfoOf(der: Uint8Array): string {
  return base64Of(der, nodesOf(der).publicKeyInfo)
}

/** The whole SubjectPublicKeyInfo as DER. */
export function publicKeyDerOf(der: Uint8Array): Uint8Array {
  const { subject, publicKeyInfo } = nodesOf(der)
  // It follows the subject, so its tag and length begin there.
  return der.subarray(subject.to, publicKeyInfo.to)
}

/** The key's bits without its algorithm. */
export function publicKeyBitsOf(der: Uint8Array): Buffer {
  const bits = childOf(der, childrenOf(der, nodesOf(der).publicKeyInfo), 1, BIT_STRING)
  // The first byte is the number of unused bits.
  return contentOf(der, { ...bits, from: bits.from + 1 })
}

export function keyKindIn(der: Uint8Array): KeyKind {
  return publicKeyKindOf(der, nodesOf(der).publicKeyInfo)
}

/**
 * Reads every field that this module exposes, so that later calls cannot fail. OpenSSL accepts certificates in BER and
 * extensions that it does not parse itself.
 *
 * @throws RangeError if any field is not DER or not where RFC 5280, section 4.1, requires it.
 */
export function assertReadable(der: Uint8Array): void {
  assertDer(der)
  const nodes = nodesOf(der)
  // RFC 5280, section 4.1.1.2: both must be equal; OpenSSL verifies no other signature.
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
 * Reads the extended key usage as object identifiers (RFC 5280, section 4.2.1.12). Node 20 reads past a buffer, and may
 * crash, when it prints a long identifier (`X509Certificate#keyUsage`).
 *
 * @throws RangeError if it is malformed.
 */
export function assertReadablePurposes(der: Uint8Array): void {
  purposesOf(der)
}

/**
 * The object identifiers of the extended key usage; `null` without one.
 *
 * @throws RangeError if it is malformed.
 */
export function purposesOf(der: Uint8Array): string[] | null {
  const extension = extensionsOf(der).find(({ oid }) => oid === EXTENDED_KEY_USAGE)
  if (!extension) return null
  const value = contentOf(der, extension.value)
  return childrenOf(value, assertDer(value)).map((purpose) => oidOf(value, purpose))
}

/**
 * Begin and end of the validity in milliseconds since the epoch; `null` for a time that OpenSSL refuses in a certificate
 * (`X509_cmp_time`): it must have seconds, and neither fractions nor a time zone but `Z`.
 */
export function validityOf(der: Uint8Array): [from: number | null, to: number | null] {
  const [from, to] = childrenOf(der, nodesOf(der).validity)
  return [strictTimeOf(der, from), strictTimeOf(der, to)]
}

function strictTimeOf(der: Uint8Array, node: DerNode | undefined): number | null {
  if (!node) return null
  const isWhole = node.to - node.from === (node.tag === UTC_TIME ? 13 : 15)
  return isWhole ? timeOf(der, node) : null
}

export function extensionsOf(der: Uint8Array): Extension[] {
  const { extensions } = nodesOf(der)
  const [list] = extensions ? childrenOf(der, extensions) : []
  return list ? extensionsIn(der, list) : []
}

/** 1 for a certificate without a version field, 3 for one with extensions. */
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

/** Header length: tag and length bytes. */
function headerBytes(length: number): number {
  return length < 0x80 ? 2 : length < 0x100 ? 3 : 4
}
