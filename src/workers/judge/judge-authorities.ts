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
import { expiredProblem } from '../problems/expired.js'
import type { Findings } from '../problems/findings.js'
import { reading } from '../problems/reading.js'
import { workingOn } from '../progress/progress.js'
import type { Policy } from '../protocol/material.js'
import { BrokenAnchor } from './broken-anchor.js'
import { warnOfRootless } from './rootless-anchors.js'
import { unsucceededOf } from './unsucceeded-anchors.js'

/**
 * What is known of a trust anchor that was not there before.
 *
 * @throws BrokenAnchor `CA_INVALID` or `KEY_UNSUPPORTED`, for a whole certificate that can anchor nothing.
 * @throws ProblemError `PEM_INVALID`, for one that cannot be read.
 */
export function authorityFacts(block: AuthorityBlock, partialChain: boolean): AuthorityFacts {
  const { what, path } = block
  workingOn(path)
  return reading('CA_INVALID', `${what} cannot be judged`, path, () => factsOfAuthority(block, partialChain))
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
  // A certificate that signed itself can be an anchor for itself alone; any other one anchors nothing, or with partial
  // chains the peer that shows it.
  if (issuer.ca !== 'ca' && !isOwnIssuer(certificate, issuer)) {
    throw new BrokenAnchor('CA_INVALID', `${subject} in ${path} is not a CA certificate`, path, partialChain)
  }
  return {
    ...{ digest, subject, name },
    canonicalName: issuer.subject,
    issuer: issuer.selfSigned ? null : wantedIssuerOf(issuer, certificate),
    keyId: issuer.keyId,
    serial: issuer.serial,
    ...vouchingOf(issuer, settings),
    explicitTrust: settings.explicit,
    largeKey: largeKeyOf(certificate),
    notBefore: notBeforeOf(certificate),
    notAfter: notAfterOf(certificate),
  }
}

/**
 * What peers would make of the anchors. `requesting` collects what concerns only servers that request client certificates;
 * an anchor without its root serves no outgoing connection either.
 */
export function judgeAuthorities(
  authorities: readonly JudgedAuthority[],
  policy: Policy,
  partialChain: boolean,
  found: Findings,
  requesting: Findings,
): void {
  let flawed: { why: string; path: string } | null = null
  let anyVouches = false
  for (const { facts, block } of authorities) {
    judgeAuthority(facts, block.path, policy, found)
    if (facts.vouchesFor !== 'none') {
      // An option can make up for a missing root, so that alone is never a reason to refuse.
      anyVouches = true
      continue
    }
    const message = `${facts.subject} in ${block.path} vouches for no client: ${facts.remark}`
    flawed ??= { why: message, path: block.path }
    requesting.judge('warn', 'CA_INVALID', message, block.path)
  }
  warnOfExpired(authorities, found)
  if (!partialChain) warnOfRootless(authorities, found)
  if (flawed && !anyVouches) {
    requesting.refuse('CA_INVALID', `no trust anchor vouches for any client; ${flawed.why}`, flawed.path)
  }
}

/** What makes an anchor a broken one that the options, and not its bytes, decide about; `null` for a sound one. */
export function whyBrokenInUse(
  { subject, explicitTrust, issuer }: AuthorityFacts,
  path: string,
  partialChain: boolean,
): BrokenAnchor | null {
  if (!explicitTrust || issuer === null || partialChain) return null
  const message =
    `${subject} in ${path} carries trust settings that make OpenSSL trust it without its issuer; ` +
    'write it as a CERTIFICATE, or set `tls.allowPartialTrustChain`'
  return new BrokenAnchor('CA_INVALID', message, path, true)
}

function judgeAuthority(
  { subject, vouchesFor, remark, largeKey }: AuthorityFacts,
  path: string,
  policy: Policy,
  found: Findings,
): void {
  if (vouchesFor === 'others' && remark !== null) {
    const message = `${subject} in ${path} has no basic constraints, but ${remark}: OpenSSL lets it vouch for every certificate that it signed`
    found.judge('warn', 'CA_INVALID', message, path)
  }
  if (vouchesFor === 'itself') {
    const message = `${subject} in ${path} is not a CA certificate; it vouches for itself alone`
    found.judge('warn', 'CA_INVALID', message, path)
  }
  if (largeKey !== null) {
    const message = `the trust anchor ${subject} in ${path} has ${largeKey}: each handshake with it takes too long`
    found.judge(policy.largeKey, 'KEY_TOO_LARGE', message, path)
  }
}

/** One warning for all of them: a bundle may hold dozens of expired roots, and the others are still in force. */
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
    const certificate = parseCertificate(pem, what, path, ASKED_LATER)
    // One that is no CA can vouch for itself alone, which OpenSSL takes in any form.
    if (certificate.ca) assertIssuerKey(certificate, what, path)
    return certificate
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code !== 'KEY_UNSUPPORTED') throw error
    throw new BrokenAnchor('KEY_UNSUPPORTED', error.problem.message, path, false)
  }
}

/** Node throws for names and purposes that it cannot read. OpenSSL takes some of these, and {@link readIssuer} finds the others. */
const ASKED_LATER = ['subject', 'issuer', 'serialNumber', 'validTo'] as const

/**
 * Whether a certificate signed itself, as far as OpenSSL looks: it does not verify the signature of an anchor. Digests that
 * it no longer verifies (MD2, MD4, SHA-0) keep no root of version 1 from anchoring.
 */
function isOwnIssuer(certificate: X509Certificate, { ca, selfSigned }: Issuer): boolean {
  if (isSelfSigned(certificate)) return true
  return (
    ca !== null && selfSigned && isRsa(keyKindIn(certificate.raw)) && isObsoleteSignature(certificate.raw)
  )
}

/** OpenSSL takes settings that are damaged as none, and with them what they reject. */
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

function vouchingOf(
  { ca, clientFlaw, ownFlaw }: Issuer,
  { rejectsClients }: TrustSettings,
): Pick<AuthorityFacts, 'vouchesFor' | 'remark'> {
  if (rejectsClients) return { vouchesFor: 'none', remark: 'its trust settings reject client authentication' }
  const flaw = ca === null ? ownFlaw : clientFlaw
  if (flaw !== null) return { vouchesFor: 'none', remark: flaw }
  if (ca === null) return { vouchesFor: 'itself', remark: null }
  return { vouchesFor: 'others', remark: ca === 'ca' ? null : REMARKS[ca] }
}

const REMARKS = {
  'version 1': 'is of version 1',
  'key usage': 'a key usage with keyCertSign',
  'Netscape type': 'a Netscape type for CAs',
} as const

function largeKeyOf(certificate: X509Certificate): string | null {
  const key = publicKeyOf(certificate)
  return key && whyTooLarge(key)
}
