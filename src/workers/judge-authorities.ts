import type { X509Certificate } from 'node:crypto'

import { isSelfSigned, parseCertificate } from './certificates.js'
import { expiredProblem } from './expired.js'
import { notAfterOf, notBeforeOf, oneLine, publicKeyOf } from './facts.js'
import type { Findings } from './findings.js'
import { isoTime } from './iso-time.js'
import { type Issuer, readIssuer } from './issuer.js'
import { whyTooLarge } from './key-size.js'
import { ProblemError } from './problem.js'
import { workingOn } from './progress.js'
import type { Policy } from './protocol.js'
import { reading } from './reading.js'
import type { AuthorityFacts, WantedIssuer } from './record.js'
import { warnOfRootless } from './rootless-anchors.js'
import type { AuthorityBlock, JudgedAuthority } from './trust.js'
import { type TrustSettings, trustSettingsOf } from './trust-settings.js'
import { unsucceededOf } from './unsucceeded-anchors.js'

/**
 * What is known of a trust anchor that was not there before.
 *
 * @throws ProblemError `PEM_INVALID` or `CA_INVALID`, for what can anchor nothing.
 */
export function authorityFacts(block: AuthorityBlock): AuthorityFacts {
  const { what, path } = block
  workingOn(path)
  return reading('CA_INVALID', `${what} cannot be judged`, path, () => factsOfAuthority(block))
}

function factsOfAuthority(block: AuthorityBlock): AuthorityFacts {
  const { pem, digest, what, path, subject: name } = block
  const settings = settingsOf(block)
  const certificate = parseCertificate(pem, what, path)
  const subject = oneLine(certificate.subject)
  const issuer = issuerOf(block)
  if (issuer.invalid !== null) throw invalid(path, `${subject} in ${path} is damaged: ${issuer.invalid}`)
  // A certificate that signed itself can be an anchor for itself alone; any other one anchors nothing.
  if (issuer.ca !== 'ca' && !isSelfSigned(certificate)) {
    throw invalid(path, `${subject} in ${path} is not a CA certificate`)
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
    judgeAuthority(facts, block.path, policy, partialChain, found)
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

function judgeAuthority(
  { subject, vouchesFor, remark, largeKey, explicitTrust, issuer }: AuthorityFacts,
  path: string,
  policy: Policy,
  partialChain: boolean,
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
  if (explicitTrust && issuer !== null && !partialChain) {
    const message =
      `${subject} in ${path} carries trust settings that make OpenSSL trust it without its issuer; ` +
      'write it as a CERTIFICATE, or set `tls.allowPartialTrustChain`'
    found.refuse('CA_INVALID', message, path)
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

function settingsOf({ der, path, what }: AuthorityBlock): TrustSettings {
  return reading('CA_INVALID', `the trust settings behind ${what} are damaged`, path, () =>
    trustSettingsOf(der),
  )
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

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('CA_INVALID', message, path)
}
