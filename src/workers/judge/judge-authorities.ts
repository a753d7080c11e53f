import type { X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import { ProblemError } from '../base/problem.js'
import { oneLine } from '../base/short-text.js'
import { type Issuer, readIssuer } from '../formats/issuer.js'
import { isRsa } from '../formats/key-kinds.js'
import { isObsoleteSignature } from '../formats/signature.js'
import { type TrustSettings, trustSettingsOf } from '../formats/trust-settings.js'
import { keyKindIn } from '../formats/x509.js'
import type { AuthorityFacts, WantedIssuer } from '../parse/authorities.js'
import { assertIssuerKey, isSelfSigned, parseCertificate } from '../parse/certificates.js'
import { notAfterOf, notBeforeOf, publicKeyOf } from '../parse/facts.js'
import { whyTooLarge } from '../parse/key-size.js'
import type { AuthorityBlock, JudgedAuthority } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import { expiredProblem } from '../problems/out-of-date.js'
import { reading } from '../problems/reading.js'
import { markWork } from '../progress/progress.js'
import type { Policy } from '../protocol/material.js'
import { BrokenAnchor } from './broken-anchor.js'
import { warnOfRootless } from './rootless-anchors.js'
import { unsucceededOf } from './unsucceeded-anchors.js'

/**
 * Facts of a new trust anchor.
 *
 * @throws BrokenAnchor `CA_INVALID` or `KEY_UNSUPPORTED`, for an intact certificate that cannot be an anchor.
 * @throws ProblemError `PEM_INVALID`, for one that cannot be read.
 */
export function authorityFacts(block: AuthorityBlock, partialChain: boolean): AuthorityFacts {
  const { what, path } = block
  markWork(path)
  return reading('CA_INVALID', `${what} cannot be checked`, path, () => factsOfAuthority(block, partialChain))
}

function factsOfAuthority(block: AuthorityBlock, partialChain: boolean): AuthorityFacts {
  const { digest, path, subject: name } = block
  const settings = settingsOf(block)
  const certificate = certificateOf(block)
  const subject = oneLine(certificate.subject)
  const issuer = issuerOf(block)
  if (issuer.invalid !== null) {
    throw new BrokenAnchor('CA_INVALID', `${subject} in ${path} is damaged: ${issuer.invalid}`, path, false)
  }
  // A self-signed certificate anchors at least itself; any other non-CA anchors nothing or, with partial chains, the
  // peer that presents it.
  if (issuer.ca !== 'ca' && !isOwnIssuer(certificate, issuer)) {
    throw new BrokenAnchor('CA_INVALID', `${subject} in ${path} is not a CA certificate`, path, partialChain)
  }
  return {
    ...{ digest, subject, name },
    canonicalName: issuer.subject,
    issuer: issuer.selfSigned ? null : wantedIssuerOf(issuer, certificate),
    keyId: issuer.keyId,
    serial: issuer.serial,
    ...trustScopeOf(issuer, settings),
    explicitTrust: settings.explicit,
    largeKey: largeKeyOf(certificate),
    notBefore: notBeforeOf(certificate),
    notAfter: notAfterOf(certificate),
  }
}

/**
 * Checks how peers will treat the anchors. `requesting` collects findings that concern only servers that request client
 * certificates; an anchor without its root also affects outgoing connections.
 */
export function judgeAuthorities(
  authorities: readonly JudgedAuthority[],
  policy: Policy,
  partialChain: boolean,
  found: Findings,
  requesting: Findings,
): void {
  let flawed: { why: string; path: string } | null = null
  let anyTrusted = false
  // Others maintain public roots, which verify no client.
  const own = authorities.filter(({ block }) => !block.isPublic)
  for (const { facts, block } of own) {
    judgeAuthority(facts, block.path, policy, found)
    if (facts.trustedFor !== 'none') {
      // An option can replace a missing root, so a missing root alone is no reason to refuse.
      anyTrusted = true
      continue
    }
    const message = `${facts.subject} in ${block.path} cannot verify clients: ${facts.remark}`
    flawed ??= { why: message, path: block.path }
    requesting.judge('warn', 'CA_INVALID', message, block.path)
  }
  warnOfExpired(own, found)
  if (!partialChain) warnOfRootless(authorities, found)
  if (flawed && !anyTrusted) {
    requesting.refuse('CA_INVALID', `no trust anchor can verify clients; ${flawed.why}`, flawed.path)
  }
}

/** Why an anchor is broken by the options, not by its bytes; `null` for a sound one. */
export function whyBrokenInUse(
  { subject, explicitTrust, issuer }: AuthorityFacts,
  path: string,
  partialChain: boolean,
): BrokenAnchor | null {
  if (!explicitTrust || issuer === null || partialChain) return null
  const message =
    `${subject} in ${path} has trust settings that make OpenSSL trust it without its issuer; ` +
    'write it as a CERTIFICATE, or set `tls.allowPartialTrustChain`'
  return new BrokenAnchor('CA_INVALID', message, path, true)
}

function judgeAuthority(
  { subject, trustedFor, remark, largeKey }: AuthorityFacts,
  path: string,
  policy: Policy,
  found: Findings,
): void {
  if (trustedFor === 'others' && remark !== null) {
    const message = `${subject} in ${path} has no basic constraints, but ${remark}: OpenSSL accepts every certificate that it signed`
    found.judge('warn', 'CA_INVALID', message, path)
  }
  if (trustedFor === 'itself') {
    const message = `${subject} in ${path} is not a CA certificate; it can verify only itself`
    found.judge('warn', 'CA_INVALID', message, path)
  }
  if (largeKey !== null) {
    const message = `the trust anchor ${subject} in ${path} has ${largeKey}, which makes each handshake too slow`
    found.judge(policy.largeKey, 'KEY_TOO_LARGE', message, path)
  }
}

/** One warning for all expired anchors: a bundle may hold dozens, and the others stay in force. */
function warnOfExpired(authorities: readonly JudgedAuthority[], found: Findings): void {
  const now = Date.now()
  const expired = unsucceededOf(authorities).filter(({ facts }) => facts.notAfter < now)
  if (expired.length === 0) return
  const ends = expired.map(({ facts: { subject, notAfter }, block: { path } }) => {
    return { name: subject, notAfter: isoTime(notAfter), path }
  })
  const { code, message, path } = expiredProblem('ca', ends)
  found.judge('warn', code, message, path)
}

function wantedIssuerOf({ issuer, authorityKey }: Issuer, { issuer: name }: X509Certificate): WantedIssuer {
  return { name: issuer, subject: oneLine(name), key: authorityKey }
}

function certificateOf({ pem, what, path }: AuthorityBlock): X509Certificate {
  try {
    const certificate = parseCertificate(pem, what, path, LATER_PROPERTIES)
    // A non-CA certificate can anchor only itself, which OpenSSL accepts with any key.
    if (certificate.ca) assertIssuerKey(certificate, what, path)
    return certificate
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code !== 'KEY_UNSUPPORTED') throw error
    throw new BrokenAnchor('KEY_UNSUPPORTED', error.problem.message, path, false)
  }
}

/**
 * Node throws for names and purposes that it cannot read. OpenSSL accepts some of them; {@link readIssuer} finds the
 * others.
 */
const LATER_PROPERTIES = ['subject', 'issuer', 'serialNumber', 'validTo'] as const

/**
 * Whether OpenSSL treats a certificate as self-signed: it does not verify the signature of an anchor. A digest it no
 * longer verifies (MD2, MD4, SHA-0) does not prevent a version 1 root from anchoring.
 */
function isOwnIssuer(certificate: X509Certificate, { ca, selfSigned }: Issuer): boolean {
  if (isSelfSigned(certificate)) return true
  return (
    ca !== null && selfSigned && isRsa(keyKindIn(certificate.raw)) && isObsoleteSignature(certificate.raw)
  )
}

/** OpenSSL silently ignores damaged settings, including their rejections. */
function settingsOf({ der, path, what }: AuthorityBlock): TrustSettings {
  try {
    return trustSettingsOf(der)
  } catch {
    throw new BrokenAnchor('CA_INVALID', `the trust settings behind ${what} are damaged`, path, true)
  }
}

function issuerOf({ der, path, what }: AuthorityBlock): Issuer {
  return reading('PEM_INVALID', `${what} is damaged: its extensions cannot be read`, path, () =>
    readIssuer(der),
  )
}

function trustScopeOf(
  { ca, clientFlaw, ownFlaw }: Issuer,
  { rejectsClients }: TrustSettings,
): Pick<AuthorityFacts, 'trustedFor' | 'remark'> {
  if (rejectsClients) return { trustedFor: 'none', remark: 'its trust settings reject client authentication' }
  const flaw = ca === null ? ownFlaw : clientFlaw
  if (flaw !== null) return { trustedFor: 'none', remark: flaw }
  if (ca === null) return { trustedFor: 'itself', remark: null }
  return { trustedFor: 'others', remark: ca === 'ca' ? null : REMARKS[ca] }
}

const REMARKS = {
  'version 1': 'is a version 1 certificate',
  'key usage': 'a key usage with keyCertSign',
  'Netscape type': 'a Netscape type for CAs',
} as const

function largeKeyOf(certificate: X509Certificate): string | null {
  const key = publicKeyOf(certificate)
  return key && whyTooLarge(key)
}
