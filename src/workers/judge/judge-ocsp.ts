import { hash, type X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import type { ProblemCode } from '../base/problem.js'
import { oneLine } from '../base/short-text.js'
import { identifies } from '../formats/ocsp-cert-id.js'
import { whyNotOcsp } from '../formats/ocsp-hints.js'
import { type OcspAnswer, type OcspResponse, readOcspResponse } from '../formats/ocsp-response.js'
import { toPem } from '../formats/pem.js'
import { verifySignature } from '../formats/signature.js'
import { canonicalIssuerOf, canonicalSubjectOf, publicKeyBitsOf, purposesOf } from '../formats/x509.js'
import { assertIssuerKey, isSignedBy, usableCertificate } from '../parse/certificates.js'
import { fingerprint256Of, notAfterOf, notBeforeOf } from '../parse/facts.js'
import { publicRootsNamed } from '../parse/public-roots.js'
import type { Findings } from '../problems/findings.js'
import type { OcspFacts, Policy } from '../protocol/material.js'
import { emptiness } from '../read/emptiness.js'
import type { Identity } from './identity.js'
import type { NamedAnchors } from './named-anchors.js'

/** A response that may be stapled to the handshakes of one leaf while it is current. */
export interface Staple {
  /** Fills its whole buffer, which is transferred to the main thread. */
  readonly response: Uint8Array<ArrayBuffer>
  readonly facts: OcspFacts
}

/** The flaw of a response, worded to follow the name of its file. */
interface Flaw {
  readonly code: ProblemCode
  readonly why: string
}

/**
 * In TLS 1.3, a response is part of an extension of at most 65,535 bytes (RFC 8446, sections 4.2 and 4.4.2.1). Real
 * ones have up to 3,000.
 */
const MAX_BYTES = 65_000

/**
 * Checks an OCSP response as a client does (RFC 6960, section 3.2): it must be for this leaf, and signed by the issuer
 * or a responder authorized by the issuer. A response that is not is left out, or refuses the set if the policy says
 * so: the certificate can serve without it. A revoked certificate is refused.
 *
 * Dates are only reported here: a response is stapled while it is current, which is decided at each handshake.
 */
export function judgeOcsp(
  bytes: Uint8Array,
  path: string,
  identity: Pick<Identity, 'chain'>,
  anchorsNamed: NamedAnchors,
  policy: Pick<Policy, 'badOcsp' | 'clockSkewSeconds'>,
  found: Findings,
): Staple | null {
  const judged = judgeAnswer(bytes, path, identity.chain, anchorsNamed)
  if ('why' in judged) {
    const message = `the OCSP response in ${path} ${judged.why}`
    if (judged.code === 'OCSP_REVOKED') found.judge('reject', judged.code, message, path)
    else found.judge(policy.badOcsp, judged.code, `${message}; it is not stapled`, path)
    return null
  }
  judgeDates(judged, path, policy, found)
  const { thisUpdate, endMs } = judged
  return {
    response: new Uint8Array(bytes),
    facts: {
      fingerprint256: fingerprint256Of(bytes),
      thisUpdate: isoTime(thisUpdate),
      nextUpdate: endMs === null ? null : isoTime(endMs),
    },
  }
}

interface JudgedAnswer extends Pick<OcspAnswer, 'thisUpdate'> {
  /** `nextUpdate`, or the end of the responder's certificate if that comes first. */
  readonly endMs: number | null
}

/** Native code may throw: then the response is left out like any other that cannot be verified. */
function judgeAnswer(...args: Parameters<typeof answerOrFlaw>): JudgedAnswer | Flaw {
  try {
    return answerOrFlaw(...args)
  } catch {
    return invalid('cannot be checked')
  }
}

function answerOrFlaw(
  bytes: Uint8Array,
  path: string,
  chain: readonly X509Certificate[],
  anchorsNamed: NamedAnchors,
): JudgedAnswer | Flaw {
  const response = read(bytes, path)
  if ('why' in response) return response
  const [leaf] = chain as [X509Certificate]
  const issuers = issuersOf(leaf, chain, anchorsNamed)
  if (issuers.length === 0) {
    const why = `cannot be verified: the certificate of ${oneLine(leaf.issuer)} is neither in the certificate file nor among the trust anchors; append it to the certificate file`
    return { code: 'OCSP_INVALID', why }
  }
  const answer = answerFor(response, leaf, issuers)
  if (!answer) {
    const why = `is not for the certificate ${oneLine(leaf.subject)} (serial number ${leaf.serialNumber}): it belongs to an earlier certificate or another one`
    return { code: 'OCSP_MISMATCH', why }
  }
  const signer = signerOf(response, answer.issuer, Date.now())
  if ('why' in signer) return signer
  const { status, revokedAt, thisUpdate, nextUpdate } = answer.answer
  if (status === 'revoked') {
    return {
      code: 'OCSP_REVOKED',
      why: `says that the certificate ${oneLine(leaf.subject)} was revoked on ${isoTime(revokedAt as number)}: clients refuse it; replace the certificate`,
    }
  }
  if (status === 'unknown') return invalid('says that its responder does not know the certificate')
  const responderEnd = signer.responder ? notAfterOf(signer.responder) : null
  const ends = [nextUpdate, responderEnd].filter((end) => end !== null)
  return { thisUpdate, endMs: nextUpdate === null ? null : Math.min(...ends) }
}

function read(bytes: Uint8Array, path: string): OcspResponse | Flaw {
  const empty = emptiness(bytes)
  if (empty !== null) return invalid(empty)
  if (bytes.length > MAX_BYTES) {
    return invalid(`holds ${bytes.length} bytes, and a handshake has room for ${MAX_BYTES}`)
  }
  const hint = whyNotOcsp(bytes, path)
  if (hint !== null) return invalid(hint)
  try {
    const response = readOcspResponse(bytes)
    if (typeof response !== 'string') return response
    return invalid(`holds no answer: the responder refused the request (${response}); request it again`)
  } catch {
    return invalid('is damaged, or is not an OCSP response in DER')
  }
}

/** The certificates with the leaf's issuer name whose key signed it, usually one. */
function issuersOf(
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
  anchorsNamed: NamedAnchors,
): X509Certificate[] {
  const name = canonicalIssuerOf(leaf.raw)
  const named = chain.filter(({ raw }) => canonicalSubjectOf(raw) === name)
  return [...named, ...anchorsNamed(name), ...publicRootsNamed(name)].filter((one) => isSignedBy(leaf, one))
}

function answerFor(
  { answers }: OcspResponse,
  leaf: X509Certificate,
  issuers: readonly X509Certificate[],
): { answer: OcspAnswer; issuer: X509Certificate } | null {
  for (const issuer of issuers) {
    const answer = answers.find(({ id }) => identifies(id, leaf.raw, issuer.raw))
    if (answer) return { answer, issuer }
  }
  return null
}

const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

/**
 * The issuer itself, or a responder whose certificate is in the response and was signed by the issuer for this purpose
 * (RFC 6960, section 4.2.2.2).
 *
 * @returns the responder's certificate; `null` for the issuer.
 */
function signerOf(
  response: OcspResponse,
  issuer: X509Certificate,
  nowMs: number,
): { readonly responder: X509Certificate | null } | Flaw {
  if (hasSigned(response, issuer)) return { responder: null }
  const certificates = response.certificates.flatMap((der) => certificateOf(der) ?? [])
  const responder = certificates.find((one) => hasSigned(response, one))
  if (!responder) {
    return invalid(
      `was signed neither by ${oneLine(issuer.subject)} nor by a responder whose certificate is in it`,
    )
  }
  const signed = `was signed by ${oneLine(responder.subject)}`
  if (canonicalIssuerOf(responder.raw) !== canonicalSubjectOf(issuer.raw) || !isSignedBy(responder, issuer)) {
    return invalid(`${signed}, whose certificate is not signed by ${oneLine(issuer.subject)}`)
  }
  if (!purposesOf(responder.raw)?.includes(OCSP_SIGNING)) {
    return invalid(`${signed}, whose certificate is not for OCSP: its extended key usage lacks OCSPSigning`)
  }
  if (notAfterOf(responder) < nowMs) {
    return invalid(`${signed}, whose certificate expired on ${isoTime(notAfterOf(responder))}`)
  }
  if (notBeforeOf(responder) > nowMs) {
    return invalid(`${signed}, whose certificate is not valid before ${isoTime(notBeforeOf(responder))}`)
  }
  return { responder }
}

function hasSigned({ responder, signature }: OcspResponse, { raw, publicKey }: X509Certificate): boolean {
  const isNamed =
    'name' in responder
      ? responder.name === canonicalSubjectOf(raw)
      : responder.keyHash === hash('sha1', publicKeyBitsOf(raw), 'base64')
  return isNamed && verifySignature(signature, publicKey) === 'valid'
}

/** `null` if it is unusable by the rules for certificates of a chain. */
function certificateOf(der: Uint8Array): X509Certificate | null {
  const what = 'the certificate of the responder'
  try {
    const certificate = usableCertificate(toPem('CERTIFICATE', der), what, '')
    assertIssuerKey(certificate, what, '')
    // Names that cannot be compared make this certificate unusable, not the whole response.
    canonicalIssuerOf(der)
    canonicalSubjectOf(der)
    return certificate
  } catch {
    return null
  }
}

function judgeDates(
  { thisUpdate, endMs }: JudgedAnswer,
  path: string,
  { badOcsp, clockSkewSeconds }: Pick<Policy, 'badOcsp' | 'clockSkewSeconds'>,
  found: Findings,
): void {
  const nowMs = Date.now()
  if (endMs === null) {
    const message = `the OCSP response in ${path} has no nextUpdate: each client decides how long it accepts the response`
    found.judge('warn', 'OCSP_UNDATED', message, path)
  } else if (endMs <= nowMs) {
    const message = `the OCSP response in ${path} expired on ${isoTime(endMs)}; it is not stapled`
    found.judge(badOcsp, 'OCSP_EXPIRED', message, path)
  }
  if (thisUpdate > nowMs) {
    const verdict = thisUpdate - clockSkewSeconds * 1000 > nowMs ? badOcsp : 'warn'
    const message = `the OCSP response in ${path} is not valid before ${isoTime(thisUpdate)}`
    found.judge(verdict, 'OCSP_NOT_YET_VALID', message, path)
  }
}

function invalid(why: string): Flaw {
  return { code: 'OCSP_INVALID', why }
}
