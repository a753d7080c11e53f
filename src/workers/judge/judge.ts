import type { X509Certificate } from 'node:crypto'

import { isoTime } from '../base/iso-time.js'
import { listed, oneLine, shortened } from '../base/short-text.js'
import { alternativeNamesOf } from '../formats/alternative-names.js'
import type { CertificateName } from '../formats/certificate-name.js'
import { CoveredNames } from '../formats/covered-names.js'
import { readIssuer } from '../formats/issuer.js'
import { issuerPlacesOf } from '../formats/issuer-places.js'
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
 * Looks for what OpenSSL loads without an error and clients then refuse. `anchorsNamed` finds the engine's own trust anchors.
 *
 * @returns the materialDigest as it is served, see {@link judgeChain}.
 */
export function judgeIdentity(
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): Identity {
  const { path } = identity
  // Each looks at something else, and native code behind any of them may throw: the others still say what they find.
  const attempt = <T>(judge: () => T) =>
    found.attempt(() => reading('PEM_INVALID', `a certificate in ${path} cannot be judged`, path, judge))
  const served = attempt(() => judgeChain(identity, anchorsNamed, policy, found)) ?? identity
  attempt(() => judgePurpose(identity, policy, found))
  attempt(() => judgeNames(identity, policy, found))
  attempt(() => judgeCompleteness(served, anchorsNamed, policy, found))
  return served
}

/** Compares with what is served now: a renewal seldom means to lose a name or time. */
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
    const message = `the new certificate expires on ${isoTime(notAfterOf(leaf))}, before the one that is served (${served.notAfter})`
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
  const { serverLeafFlaw, certSign } = readIssuer(leaf.raw)
  if (serverLeafFlaw !== null) {
    const message = `the certificate in ${path} is not made for servers: ${serverLeafFlaw}`
    found.judge('reject', 'CERT_PURPOSE', message, path)
  }
  if (!leaf.ca) return
  const { names } = alternativeNamesOf(leaf)
  // `openssl req -x509` makes a self-signed server certificate with CA:TRUE, without a key usage and often without names.
  // A root has a key usage, or only a URI or an e-mail address as its name.
  const isServers = isSelfSigned(leaf) && (names.some(isHost) || (names.length === 0 && certSign !== true))
  const message = isServers
    ? `the certificate in ${path} signed itself and is marked as a CA (CA:TRUE): who holds its key can issue certificates that its clients accept; issue it with basicConstraints CA:FALSE`
    : `the certificate in ${path} is a CA certificate; serve one that was issued by it`
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
  const why = whyNoHost(leaf)
  if (why !== null) found.judge('warn', 'NAME_NOT_COVERED', `the certificate in ${path} ${why}`, path)
}

/** Why no client that verifies by host name accepts a leaf; `null` for a usual one, and for one of SPIFFE. */
function whyNoHost(leaf: X509Certificate): string | null {
  const { names } = alternativeNamesOf(leaf)
  if (names.length === 0) return 'has no subjectAltName; clients ignore the common name (RFC 9525)'
  // Peers of SPIFFE compare the materialDigest, and need no host name.
  const isUsual = names.some(({ kind, value }) => {
    return isHost({ kind }) || (kind === 'URI' && /^spiffe:/i.test(value))
  })
  if (isUsual) return null
  return 'has no DNS name and no IP address among its names, so clients that verify the host name refuse it (RFC 9525)'
}

function isHost({ kind }: Pick<CertificateName, 'kind'>): boolean {
  return kind === 'DNS' || kind === 'IP'
}

/** A host that was named must be covered by its certificate. */
export function judgeNamed({ chain, path }: Identity, name: string, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  if (new CoveredNames(leaf).covers(name)) return
  found.judge('reject', 'NAME_NOT_COVERED', `the certificate in ${path} does not cover ${name}`, path)
}

/**
 * A leaf whose issuer is unknown. Most likely its intermediate is missing; but a private root that is not among the trust
 * anchors looks the same, and then nothing is missing. Only a certificate that names the place of its issuer's certificate
 * decides between the two: CAs name the place of intermediates.
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
  if (chain.length > 1) {
    // An issuer of the right name with another key is a mistake that no policy is about.
    const name = canonicalIssuerOf(leaf.raw)
    const isNamed = chain.slice(1).some((one) => canonicalSubjectOf(one.raw) === name)
    const message = `no certificate in ${path} issued the leaf; its issuer is ${issuer}`
    found.judge(isNamed ? 'reject' : policy.unrelatedChain, 'CHAIN_INCOMPLETE', message, path)
    return
  }
  const state = `${path} holds the leaf alone, and its issuer ${issuer} is neither a public root nor a trust anchor`
  const [place] = issuerPlacesOf(leaf.raw)
  const advice =
    place === undefined
      ? 'if it is an intermediate, append its certificate, or clients refuse the leaf; if it is a private root, nothing is missing, and clients need that root'
      : `clients that lack its certificate refuse the leaf; append it (the leaf says that it is at ${shortened(place)})`
  found.judge(policy.incompleteChain, 'CHAIN_INCOMPLETE', `${state}: ${advice}`, path)
}
