import { childrenOf, type DerNode, nodeAt, oidOf } from './der.js'

/*
 * Fields of a certificate's DER that Node's X509Certificate does not give on every supported version, or not
 * without parsing all of it.
 */

/** Bytes that this subject adds to the list of acceptable CAs in a handshake (RFC 8446, section 4.2.4). */
export function subjectEntryBytes(der: Uint8Array): number {
  const { subject } = nodesOf(der)
  return 2 + headerBytes(subject) + subject.to - subject.from
}

/** The subject's DER in base64, to compare names by. */
export function subjectOf(der: Uint8Array): string {
  return contentOf(der, nodesOf(der).subject)
}

/** The issuer's DER in base64. */
export function issuerOf(der: Uint8Array): string {
  return contentOf(der, nodesOf(der).issuer)
}

/** The serial number's DER content in base64. */
export function serialOf(der: Uint8Array): string {
  return contentOf(der, nodesOf(der).serialNumber)
}

/** The object identifier of the algorithm that the certificate was signed with. */
export function signatureOid(der: Uint8Array): string {
  return oidOf(der, nodeAt(der, nodesOf(der).signatureAlgorithm.from))
}

/** An extension in base64, `null` without it. */
export function extensionOf(der: Uint8Array, oid: string): string | null {
  const { extensions } = nodesOf(der)
  const [list] = extensions ? childrenOf(der, extensions) : []
  // Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280, section 4.1)
  const found = (list ? childrenOf(der, list) : []).find((extension) => {
    const [id] = childrenOf(der, extension)
    return id !== undefined && oidOf(der, id) === oid
  })
  return found ? contentOf(der, found) : null
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

function headerBytes(node: DerNode): number {
  const length = node.to - node.from
  return length < 0x80 ? 2 : length < 0x100 ? 3 : 4
}
