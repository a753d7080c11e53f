import type { SignedBytes } from './crl-fields.js'
import { assertDer, base64Of, childOf, childrenOf, contentOf, type DerNode, oidOf, timeOf } from './der.js'
import {
  BIT_STRING,
  CONTEXT_0,
  ENUMERATED,
  GENERALIZED_TIME,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
} from './der-tags.js'
import { extensionsIn } from './extensions.js'
import { canonicalName } from './name.js'

/** A successful OCSP response (RFC 6960, section 4.2.1). */
export interface OcspResponse {
  readonly responder: ResponderId
  readonly answers: readonly OcspAnswer[]
  readonly signature: SignedBytes
  /** DER of the included certificates: that of a delegated responder. */
  readonly certificates: readonly Uint8Array[]
}

/** The signer, by its name in canonical form or by the SHA-1 digest of its key in base64. */
export type ResponderId = { readonly name: string } | { readonly keyHash: string }

/** The status of one certificate. Times are in milliseconds since 1970. */
export interface OcspAnswer {
  readonly id: OcspCertId
  readonly status: 'good' | 'revoked' | 'unknown'
  /** `null` unless the status is `revoked`. */
  readonly revokedAt: number | null
  readonly thisUpdate: number
  readonly nextUpdate: number | null
}

/** Identifies a certificate by issuer and serial number. Digests and number are DER contents in base64. */
export interface OcspCertId {
  /** Object identifier of the digest algorithm. */
  readonly algorithm: string
  readonly issuerNameHash: string
  readonly issuerKeyHash: string
  readonly serial: string
}

/** Error status of a responder (OCSPResponseStatus). */
export type OcspRefusal =
  | 'malformedRequest'
  | 'internalError'
  | 'tryLater'
  | 'sigRequired'
  | 'unauthorized'
  | 'unknown status'

const REFUSALS: Readonly<Record<number, OcspRefusal>> = {
  1: 'malformedRequest',
  2: 'internalError',
  3: 'tryLater',
  5: 'sigRequired',
  6: 'unauthorized',
}

const BASIC = '1.3.6.1.5.5.7.48.1.1'
/** One is usual; each may cost a signature verification. */
const MAX_CERTIFICATES = 8

/**
 * OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, responseBytes [0] { SEQUENCE { responseType, response OCTET
 * STRING } } OPTIONAL }. The input must be complete DER with no bytes after it.
 *
 * @returns the response, or the responder's error status.
 * @throws RangeError if it is malformed or has a critical extension.
 */
export function readOcspResponse(der: Uint8Array): OcspResponse | OcspRefusal {
  const [status, bytes, more] = childrenOf(der, expectedSequence(assertDer(der)))
  if (status?.tag !== ENUMERATED || status.to - status.from !== 1 || more) throw notAResponse()
  const number = der[status.from] as number
  if (number !== 0) return REFUSALS[number] ?? 'unknown status'
  const [type, response, another] = childrenOf(der, onlyChild(der, bytes, CONTEXT_0, SEQUENCE))
  if (type?.tag !== OBJECT_IDENTIFIER || response?.tag !== OCTET_STRING || another) throw notAResponse()
  if (oidOf(der, type) !== BASIC) throw notAResponse()
  return readBasic(contentOf(der, response))
}

/** BasicOCSPResponse ::= SEQUENCE { tbsResponseData, signatureAlgorithm, signature, certs [0] SEQUENCE OF Certificate OPTIONAL }. */
function readBasic(der: Uint8Array): OcspResponse {
  const root = expectedSequence(assertDer(der))
  const fields = childrenOf(der, root)
  const data = childOf(der, fields, 0, SEQUENCE)
  const algorithm = childOf(der, fields, 1, SEQUENCE)
  const signature = childOf(der, fields, 2, BIT_STRING)
  // The first byte is the number of unused bits.
  if (fields.length > 4 || der[signature.from] !== 0) throw notAResponse()
  return {
    ...readData(der, data),
    signature: {
      algorithm: der.subarray(data.to, algorithm.to),
      bytes: der.subarray(root.from, data.to),
      signature: der.subarray(signature.from + 1, signature.to),
    },
    certificates: fields[3] ? readCertificates(der, fields[3]) : [],
  }
}

function readCertificates(der: Uint8Array, explicit: DerNode): Uint8Array[] {
  const list = onlyChild(der, explicit, CONTEXT_0, SEQUENCE)
  const all = childrenOf(der, list)
  if (all.length > MAX_CERTIFICATES) throw new RangeError('too many certificates')
  return all.map(({ to }, i) => der.subarray(all[i - 1]?.to ?? list.from, to))
}

/**
 * ResponseData ::= SEQUENCE { version [0] DEFAULT v1, responderID, producedAt GeneralizedTime, responses SEQUENCE OF
 * SingleResponse, responseExtensions [1] OPTIONAL }.
 */
function readData(der: Uint8Array, data: DerNode): Pick<OcspResponse, 'responder' | 'answers'> {
  const fields = childrenOf(der, data)
  if (fields[0]?.tag === CONTEXT_0) {
    const version = onlyChild(der, fields.shift(), CONTEXT_0, INTEGER)
    if (version.to - version.from !== 1 || der[version.from] !== 0) throw notAResponse()
  }
  const [responder, producedAt, answers, extensions, more] = fields
  if (!responder || answers?.tag !== SEQUENCE || more) throw notAResponse()
  dateOf(der, producedAt)
  assertNotCritical(der, extensions)
  return {
    responder: readResponder(der, responder),
    answers: childrenOf(der, answers).map((answer) => readAnswer(der, answer)),
  }
}

const BY_NAME = 0xa1
const BY_KEY = 0xa2

function readResponder(der: Uint8Array, responder: DerNode): ResponderId {
  if (responder.tag === BY_NAME) {
    return { name: canonicalName(der, onlyChild(der, responder, BY_NAME, SEQUENCE)) }
  }
  return { keyHash: base64Of(der, onlyChild(der, responder, BY_KEY, OCTET_STRING)) }
}

const GOOD = 0x80
const REVOKED = 0xa1
const UNKNOWN = 0x82
const EXTENSIONS = 0xa1

/** SingleResponse ::= SEQUENCE { certID, certStatus, thisUpdate, nextUpdate [0] OPTIONAL, singleExtensions [1] OPTIONAL }. */
function readAnswer(der: Uint8Array, answer: DerNode): OcspAnswer {
  const fields = childrenOf(der, expectedSequence(answer))
  const [id, status, thisUpdate] = fields.splice(0, 3)
  const nextUpdate = fields[0]?.tag === CONTEXT_0 ? fields.shift() : undefined
  if (!id || !status || fields.length > 1) throw notAResponse()
  assertNotCritical(der, fields[0])
  return {
    id: readId(der, id),
    ...readStatus(der, status),
    thisUpdate: dateOf(der, thisUpdate),
    nextUpdate: nextUpdate ? dateOf(der, onlyChild(der, nextUpdate, CONTEXT_0, GENERALIZED_TIME)) : null,
  }
}

/** CertStatus ::= CHOICE { good [0] NULL, revoked [1] SEQUENCE { revocationTime, reason [0] OPTIONAL }, unknown [2] NULL }. */
function readStatus(der: Uint8Array, status: DerNode): Pick<OcspAnswer, 'status' | 'revokedAt'> {
  if (status.tag === REVOKED) {
    return { status: 'revoked', revokedAt: dateOf(der, childrenOf(der, status)[0]) }
  }
  if ((status.tag !== GOOD && status.tag !== UNKNOWN) || status.from !== status.to) throw notAResponse()
  return { status: status.tag === GOOD ? 'good' : 'unknown', revokedAt: null }
}

/** CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash OCTET STRING, issuerKeyHash OCTET STRING, serialNumber INTEGER }. */
function readId(der: Uint8Array, id: DerNode): OcspCertId {
  const fields = childrenOf(der, expectedSequence(id))
  if (fields.length !== 4) throw notAResponse()
  const algorithm = childrenOf(der, childOf(der, fields, 0, SEQUENCE))
  return {
    algorithm: oidOf(der, childOf(der, algorithm, 0, OBJECT_IDENTIFIER)),
    issuerNameHash: base64Of(der, childOf(der, fields, 1, OCTET_STRING)),
    issuerKeyHash: base64Of(der, childOf(der, fields, 2, OCTET_STRING)),
    serial: base64Of(der, childOf(der, fields, 3, INTEGER)),
  }
}

/** Clients must refuse an unknown critical extension (RFC 6960, section 4.4) and are not required to know any. */
function assertNotCritical(der: Uint8Array, extensions: DerNode | undefined): void {
  if (!extensions) return
  const list = extensionsIn(der, onlyChild(der, extensions, EXTENSIONS, SEQUENCE))
  if (list.some(({ critical }) => critical)) throw new RangeError('an extension is critical')
}

function onlyChild(der: Uint8Array, parent: DerNode | undefined, tag: number, childTag: number): DerNode {
  if (parent?.tag !== tag) throw notAResponse()
  const children = childrenOf(der, parent)
  if (children.length !== 1) throw notAResponse()
  return childOf(der, children, 0, childTag)
}

function expectedSequence(node: DerNode): DerNode {
  if (node.tag !== SEQUENCE) throw notAResponse()
  return node
}

function dateOf(der: Uint8Array, node: DerNode | undefined): number {
  const time = node?.tag === GENERALIZED_TIME ? timeOf(der, node) : null
  if (time === null) throw notAResponse()
  return time
}

function notAResponse(): RangeError {
  return new RangeError('not an OCSP response')
}
