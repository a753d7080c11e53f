import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import { ProblemError } from '../../workers/base/problem.js'
import { readIssuer } from '../../workers/formats/issuer.js'
import { type PeerNames, peerNamesOf } from '../../workers/formats/peer-names.js'
import { peerRuleOf } from '../../workers/formats/peer-rules.js'
import { derOf, splitPem } from '../../workers/formats/pem.js'
import { assertReadable, validityOf } from '../../workers/formats/x509.js'
import type { JudgePeersTask } from '../../workers/protocol/judge-peers.js'
import type { PeerVerdict } from '../api/peer-verdict.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import { peerRulesOf } from '../generation/rules-of-trust.js'
import { type JudgingParts, judgeAll } from './judge-all.js'
import type { Serving } from './serving.js'

/** A certificate, and optionally its intermediates after it, as PEM or DER. */
export type GivenCertificate = string | Uint8Array | X509Certificate

const MAX_BYTES = 100 * 1024
const MAX_CERTIFICATES = 32

/**
 * Whether a client with this certificate may connect now: by its dates and purpose, the anchors and revocation lists, and the
 * rules about peers.
 *
 * @throws ReloadError `OPTIONS_INVALID` for anything but a certificate, or `CLOSED`.
 */
export async function admits(
  given: GivenCertificate,
  serving: Pick<Serving, 'snapshot' | 'trust'>,
  parts: JudgingParts & { readonly nowMs: number },
): Promise<PeerVerdict> {
  const certificates = certificatesIn(given)
  const [leaf] = certificates as [Uint8Array]
  const names = namesOf(leaf)
  const peerTrust = serving.snapshot.material.trust
  const rules = peerRulesOf(peerTrust)
  const rule = (names && rules?.ruleFor(names)) ?? null
  // Without the rules, so that both reasons are reported.
  const { peerRules: _, ...trust } = serving.trust()
  const task: Omit<JudgePeersTask, 'chains'> = { ...trust, validAtMs: parts.nowMs }
  const [isVerified] = await judgeAll([{ certificates, completed: false }], task, parts)
  const problems = [
    ...(rules && rule === null ? [NOT_ALLOWED] : []),
    ...(peerTrust.publicRoots ? [PUBLIC_ROOTS] : isVerified ? [] : [NOT_VERIFIED]),
    ...problemsOf(leaf, parts.nowMs),
    ...weaknessOf(certificates, serving.snapshot.options.context.ciphers),
  ]
  return deepFreeze({
    admitted: problems.length === 0,
    rule: rule === null ? null : peerRuleOf(rule),
    names: names && { uri: names.uris, dns: names.dns, cn: names.commonName, spki: names.spki },
    problems,
  })
}

const NOT_ALLOWED: Problem = { code: 'PEER_NOT_ALLOWED', message: 'no rule in `peers` names the certificate' }
const NOT_VERIFIED: Problem = {
  code: 'PEER_NOT_VERIFIED',
  message:
    'no path leads from the certificate to a trust anchor, or a certificate on the path is revoked; intermediates that the client sends must follow the certificate',
}

const PUBLIC_ROOTS: Problem = {
  code: 'PEER_NOT_VERIFIED',
  message:
    "the engine trusts public roots (`ca` has the value 'system' or 'default'), so none of its servers accepts a client certificate",
}

function namesOf(leaf: Uint8Array): PeerNames | null {
  try {
    return peerNamesOf(leaf)
  } catch {
    return null
  }
}

function problemsOf(leaf: Uint8Array, nowMs: number): Problem[] {
  const [from, to] = validityOf(leaf)
  const { ownFlaw, invalid } = readIssuer(leaf)
  const flaw = invalid ?? ownFlaw
  const problems: Problem[] = []
  if (from === null || to === null)
    problems.push({ code: 'CERT_EXPIRED', message: 'the dates of the certificate are not valid DER times' })
  else if (nowMs > to)
    problems.push({ code: 'CERT_EXPIRED', message: `the certificate expired on ${isoOf(to)}` })
  else if (nowMs < from)
    problems.push({
      code: 'CERT_NOT_YET_VALID',
      message: `the certificate is not valid before ${isoOf(from)}`,
    })
  if (flaw !== null)
    problems.push({ code: 'CERT_PURPOSE', message: `the certificate is not for clients: ${flaw}` })
  return problems
}

/**
 * OpenSSL measures the certificates of a client by the security level of the server's context (`ssl_security_cert`), as it does
 * with certificates that a context loads.
 */
function weaknessOf(certificates: readonly Uint8Array[], ciphers: string | undefined): Problem[] {
  const cert = certificates.map((der) => pemOf(der) ?? '').join('')
  try {
    tls.createSecureContext({ ca: [], cert, ...(ciphers === undefined ? {} : { ciphers }) })
    return []
  } catch {
    const message = 'the TLS library does not accept a key or a signature of the chain at its security level'
    return [{ code: 'KEY_TOO_WEAK', message }]
  }
}

/** `null` for an intermediate that is no certificate: it is ignored. */
function pemOf(der: Uint8Array): string | null {
  try {
    return new X509Certificate(der).toString()
  } catch {
    return null
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}

/** @throws ReloadError `OPTIONS_INVALID` */
function certificatesIn(given: GivenCertificate): Uint8Array[] {
  try {
    const ders = dersIn(given)
    if (ders.length === 0 || ders.length > MAX_CERTIFICATES) throw invalid()
    const [leaf] = ders as [Uint8Array]
    assertReadable(leaf)
    new X509Certificate(leaf)
    readIssuer(leaf)
    return ders
  } catch (error) {
    if (error instanceof ReloadError) throw error
    throw invalid(error instanceof ProblemError ? error : undefined)
  }
}

function dersIn(given: GivenCertificate): Uint8Array[] {
  if (given instanceof X509Certificate) return [new Uint8Array(given.raw)]
  if (typeof given !== 'string' && !(given instanceof Uint8Array)) throw invalid()
  const bytes = Buffer.from(given)
  if (bytes.length > MAX_BYTES) throw invalid()
  if (!bytes.includes('-----BEGIN ')) return [new Uint8Array(bytes)]
  const blocks = splitPem(bytes, 'the certificate').filter(({ label }) => label.endsWith('CERTIFICATE'))
  return blocks.map(({ pem }) => new Uint8Array(derOf(pem)))
}

function invalid(cause?: Error): ReloadError {
  const message = `admits: expected a certificate as PEM or DER, with at most ${MAX_CERTIFICATES} certificates and ${MAX_BYTES} bytes`
  return new ReloadError('OPTIONS_INVALID', message, cause ? { cause } : {})
}
