import { childrenOf, type DerNode, nodeAt, oidOf } from './der.js'
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
  return contentOf(der, nodesOf(der).subject)
}

/** The issuer's DER in base64. */
export function issuerOf(der: Uint8Array): string {
  return contentOf(der, nodesOf(der).issuer)
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
  return contentOf(der, nodesOf(der).serialNumber)
}

/** 1 to 3. Version 1 has no extensions. */
export function versionOf(der: Uint8Array): number {
  const [tbs] = childrenOf(der, nodeAt(der, 0))
  const first = tbs && nodeAt(der, tbs.from)
  const version = first?.tag === VERSION_TAG ? nodeAt(der, first.from) : undefined
  return version ? (der[version.from] ?? 0) + 1 : 1
}

/** The object identifier of the algorithm that the certificate was signed with. */
export function signatureOid(der: Uint8Array): string {
  return oidOf(der, nodeAt(der, nodesOf(der).signatureAlgorithm.from))
}

/** One extension of a certificate; its value is DER in base64. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  readonly value: string
}

/** Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280, section 4.1); in the order they have. */
export function extensionsOf(der: Uint8Array): Extension[] {
  const { extensions } = nodesOf(der)
  const [list] = extensions ? childrenOf(der, extensions) : []
  return (list ? childrenOf(der, list) : []).map((extension) => {
    const [id, ...rest] = childrenOf(der, extension)
    const value = rest.pop()
    if (!id || !value) throw new RangeError('not an extension')
    // DER leaves a default out, and TRUE is all ones (X.690, sections 11.1 and 11.5).
    return { oid: oidOf(der, id), critical: rest.length > 0, value: contentOf(der, value) }
  })
}

/** An element's content in base64. */
export function contentOf(der: Uint8Array, node: DerNode): string {
  return Buffer.from(der.subarray(node.from, node.to)).toString('base64')
}

interface CertificateNodes {
  readonly serialNumber: DerNode
  readonly signatureAlgorithm: DerNode
  readonly issuer: DerNode
  readonly subject: DerNode
  readonly extensions: DerNode | undefined
}

const VERSION_TAG = 0xa0
const EXTENSIONS_TAG = 0xa3

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature } (RFC 5280, section 4.1). */
function nodesOf(der: Uint8Array): CertificateNodes {
  const [tbs, signatureAlgorithm] = childrenOf(der, nodeAt(der, 0))
  const fields = tbs ? childrenOf(der, tbs) : []
  // [version], serialNumber, signature, issuer, validity, subject
  const [serialNumber, , issuer, , subject] = fields[0]?.tag === VERSION_TAG ? fields.slice(1) : fields
  if (!signatureAlgorithm || !serialNumber || !issuer || !subject) throw new RangeError('not a certificate')
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS_TAG)
  return { signatureAlgorithm, serialNumber, issuer, subject, extensions }
}

/** Tag and length of an element. */
function headerBytes(length: number): number {
  return length < 0x80 ? 2 : length < 0x100 ? 3 : 4
}
