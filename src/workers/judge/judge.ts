import type { X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import { listed, oneLine, shortened } from '../base/short-text.js'
import { alternativeNamesOf } from '../formats/alternative-names.js'
import type { CertificateName } from '../formats/certificate-name.js'
import { CoveredNames } from '../formats/covered-names.js'
import { readIssuer } from '../formats/issuer.js'
import { issuerUrlsOf } from '../formats/issuer-urls.js'
import { canonicalIssuerOf, canonicalSubjectOf } from '../formats/x509.js'
import { isSelfSigned } from '../parse/certificates.js'
import { notAfterOf } from '../parse/facts.js'
import type { Findings } from '../problems/findings.js'
import { reading } from '../problems/reading.js'
import type { CertificateFacts, Policy } from '../protocol/material.js'
import type { Identity } from './identity.js'
import { judgeChain } from './judge-chain.js'
import { judgeLastSignature } from './judge-signature.js'
import type { NamedAnchors } from './named-anchors.js'

/**
 * Finds what OpenSSL loads without an error but clients refuse. `anchorsNamed` finds the engine's own trust anchors.
 *
 * @returns the identity as served, see {@link judgeChain}.
 */
export function judgeIdentity(
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): Identity {
  const { path } = identity
  // The checks are independent, and native code may throw in any of them; the others still report.
  const attempt = <T>(judge: () => T) =>
    found.attempt(() => reading('PEM_INVALID', `a certificate in ${path} cannot be checked`, path, judge))
  const served = attempt(() => judgeChain(identity, anchorsNamed, policy, found)) ?? identity
  attempt(() => judgePurpose(identity, policy, found))
  attempt(() => judgeNames(identity, policy, found))
  attempt(() => judgeCompleteness(served, anchorsNamed, policy, found))
  return served
}

/** Compares with the certificate in service: names or lifetime are seldom reduced on purpose. */
export function judgeAgainstServed(
  identity: Identity,
  served: CertificateFacts,
  policy: Policy,
  found: Findings,
): void {
  const [leaf] = identity.chain as [X509Certificate]
  const lost = namesLost(leaf, served)
  if (lost.length > 0) {
    const message = `the new certificate no longer covers ${listed(lost)}`
    found.judge(policy.namesLost, 'NAMES_LOST', message, identity.path)
  }
  if (notAfterOf(leaf) < Date.parse(served.notAfter)) {
    const message = `the new certificate expires on ${isoTime(notAfterOf(leaf))}, before the one in service (${served.notAfter})`
    found.judge('warn', 'EXPIRES_EARLIER', message, identity.path)
  }
}

/** Names of the served certificate that the new leaf does not cover. */
export function namesLost(leaf: X509Certificate, served: CertificateFacts): string[] {
  const covered = new CoveredNames(leaf)
  return served.names.filter((name) => !covered.covers(name))
}

function judgePurpose({ chain, path }: Identity, policy: Policy, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  const { serverLeafFlaw, ownFlaw, certSign } = readIssuer(leaf.raw)
  const flaw = policy.purpose === 'client' ? ownFlaw : serverLeafFlaw
  if (flaw !== null) {
    const message = `the certificate in ${path} cannot be used by a ${policy.purpose}: ${flaw}`
    found.judge('reject', 'CERT_PURPOSE', message, path)
  }
  if (!leaf.ca) return
  const { names } = alternativeNamesOf(leaf)
  // `openssl req -x509` creates a self-signed server certificate with CA:TRUE, without a key usage and often without
  // names. A root has a key usage, or only a URI or an e-mail address as its name.
  const isServers = isSelfSigned(leaf) && (names.some(isHost) || (names.length === 0 && certSign !== true))
  const message = isServers
    ? `the certificate in ${path} is self-signed and marked as a CA (CA:TRUE): its key can issue certificates that its clients accept; reissue it with basicConstraints CA:FALSE`
    : `the certificate in ${path} is a CA certificate; serve a certificate issued by it`
  found.judge(isServers ? policy.selfSignedCa : 'reject', 'CERT_IS_CA', message, path)
}

function judgeNames({ chain, path }: Identity, policy: Policy, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  const covered = new CoveredNames(leaf)
  const missing = policy.requiredNames.filter((name) => !covered.covers(name))
  if (missing.length > 0) {
    const message = `the certificate in ${path} does not cover ${listed(missing)}, which the policy requires`
    found.judge('reject', 'NAME_NOT_COVERED', message, path)
  }
  // Servers do not look for the name of a host in the certificate of a client.
  const why = policy.purpose === 'client' ? null : whyNoHost(leaf)
  if (why !== null) found.judge('warn', 'NAME_NOT_COVERED', `the certificate in ${path} ${why}`, path)
}

/** Why clients that verify host names refuse a leaf; `null` for an ordinary one and for SPIFFE. */
function whyNoHost(leaf: X509Certificate): string | null {
  const { names } = alternativeNamesOf(leaf)
  if (names.length === 0) return 'has no subjectAltName; clients ignore the common name (RFC 9525)'
  // SPIFFE peers compare the URI and need no host name.
  const isUsual = names.some(({ kind, value }) => {
    return isHost({ kind }) || (kind === 'URI' && /^spiffe:/i.test(value))
  })
  if (isUsual) return null
  return 'has no DNS name and no IP address, so clients that verify the host name refuse it (RFC 9525)'
}

function isHost({ kind }: Pick<CertificateName, 'kind'>): boolean {
  return kind === 'DNS' || kind === 'IP'
}

/** A host with an explicit name must be covered by its certificate. */
export function judgeNamed({ chain, path }: Identity, name: string, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  if (new CoveredNames(leaf).covers(name)) return
  found.judge('reject', 'NAME_NOT_COVERED', `the certificate in ${path} does not cover ${name}`, path)
}

/**
 * A leaf whose issuer is unknown. Most likely its intermediate is missing; but a private root that is not a trust
 * anchor looks the same, and then nothing is missing. Only the URL of the issuer's certificate distinguishes the two:
 * CAs publish it for intermediates.
 */
function judgeCompleteness(
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): void {
  const { chain, linked, path } = identity
  const [leaf] = chain as [X509Certificate]
  if (judgeLastSignature(identity, anchorsNamed, found) !== 'unknown' || linked > 1) return
  const issuer = oneLine(leaf.issuer)
  // A server has the issuer of its clients, and the anchors here are for servers.
  if (chain.length === 1 && policy.purpose === 'client') return
  if (chain.length > 1) {
    // An issuer of the right name but with another key is always a mistake, regardless of policy.
    const name = canonicalIssuerOf(leaf.raw)
    const isNamed = chain.slice(1).some((one) => canonicalSubjectOf(one.raw) === name)
    const message = `no certificate in ${path} is the issuer of the leaf, ${issuer}`
    found.judge(isNamed ? 'reject' : policy.unrelatedChain, 'CHAIN_INCOMPLETE', message, path)
    return
  }
  const state = `${path} holds only the leaf, and its issuer ${issuer} is neither a public root nor a trust anchor`
  const [place] = issuerUrlsOf(leaf.raw)
  const advice =
    place === undefined
      ? 'if it is an intermediate, append its certificate, or clients refuse the leaf; if it is a private root, nothing is missing, and clients need that root'
      : `clients that lack its certificate refuse the leaf; append it (the leaf says that it is at ${shortened(place)})`
  found.judge(policy.incompleteChain, 'CHAIN_INCOMPLETE', `${state}: ${advice}`, path)
}
