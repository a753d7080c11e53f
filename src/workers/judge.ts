import type { X509Certificate } from 'node:crypto'

import { isSelfSigned } from './certificates.js'
import { CoveredNames } from './covered-names.js'
import { keyTypeOf, listed, namesOf, notAfterOf, notBeforeOf, oneLine } from './facts.js'
import type { Findings } from './findings.js'
import type { Identity } from './identity.js'
import { judgeIntermediates } from './judge-intermediates.js'
import { judgeLastSignature } from './judge-signature.js'
import { whyTooLarge } from './key-size.js'
import type { NamedAnchors } from './named-anchors.js'
import type { CertificateFacts, Policy } from './protocol.js'
import { reading } from './reading.js'
import { purposesOf, signatureOid } from './x509.js'

/** Looks for what OpenSSL loads without an error and clients then refuse. `anchorsNamed` finds the engine's own trust anchors. */
export function judgeIdentity(
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): void {
  const { path } = identity
  // Each looks at something else, and native code behind any of them may throw: the others still say what they find.
  const attempt = (judge: () => void) =>
    found.attempt(() => reading('PEM_INVALID', `a certificate in ${path} cannot be judged`, path, judge))
  attempt(() => judgeDates(identity, policy, found))
  attempt(() => judgePurpose(identity, found))
  attempt(() => judgeIntermediates(identity, found))
  attempt(() => judgeStrength(identity, policy, found))
  attempt(() => judgeNames(identity, policy, found))
  attempt(() => judgeCompleteness(identity, anchorsNamed, policy, found))
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
    const message = `the new certificate expires on ${iso(notAfterOf(leaf))}, before the one that is served (${served.notAfter})`
    found.judge('warn', 'EXPIRES_EARLIER', message, identity.path)
  }
}

/** Names of the served certificate that the new leaf does not cover. */
export function namesLost(leaf: X509Certificate, served: CertificateFacts): string[] {
  const covered = new CoveredNames(leaf)
  return served.names.filter((name) => !covered.covers(name))
}

function judgeDates({ chain, path }: Identity, policy: Policy, found: Findings): void {
  const skewMs = policy.clockSkewSeconds * 1000
  const now = Date.now()
  chain.forEach((certificate, i) => {
    const who = `the ${i === 0 ? 'certificate' : 'chain certificate'} ${oneLine(certificate.subject)} in ${path}`
    const end = notAfterOf(certificate)
    const start = notBeforeOf(certificate)
    if (end < now) {
      // A client has its own copy of the root, so the one that is sent may have expired.
      const matters = end + skewMs < now && !(i > 0 && isSelfSigned(certificate))
      found.judge(matters ? policy.expired : 'warn', 'CERT_EXPIRED', `${who} expired on ${iso(end)}`, path)
    }
    if (start > now) {
      const verdict = start - skewMs > now ? policy.notYetValid : 'warn'
      found.judge(verdict, 'CERT_NOT_YET_VALID', `${who} is not valid before ${iso(start)}`, path)
    }
  })
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY_PURPOSE = '2.5.29.37.0'

function judgePurpose({ chain, path }: Identity, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  const purposes = purposesOf(leaf.raw)
  if (purposes && !purposes.includes(SERVER_AUTH) && !purposes.includes(ANY_PURPOSE)) {
    const message = `the certificate in ${path} is not made for servers: its extended key usage lacks serverAuth`
    found.judge('reject', 'CERT_PURPOSE', message, path)
  }
  if (leaf.ca) {
    // What `openssl req -x509` makes is a self-signed server certificate with the CA flag.
    const usual = isSelfSigned(leaf) && namesOf(leaf).length > 0
    const message = `the certificate in ${path} is a CA certificate; serve one that was issued by it`
    found.judge(usual ? 'warn' : 'reject', 'CERT_IS_CA', message, path)
  }
}

const LEAST_RSA_BITS = 2048
/** MD2, MD5 and SHA-1 with RSA; SHA-1 with ECDSA and with DSA. */
const WEAK_SIGNATURES = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10045.4.1',
  '1.2.840.10040.4.3',
])

function judgeStrength({ chain, path }: Identity, policy: Policy, found: Findings): void {
  for (const certificate of chain) {
    const who = `${oneLine(certificate.subject)} in ${path}`
    const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength
    if (bits !== undefined && bits < LEAST_RSA_BITS) {
      const message = `${who} has a key of ${keyTypeOf(certificate.publicKey)} bits; clients want ${LEAST_RSA_BITS} or more`
      found.judge(policy.weakKey, 'KEY_TOO_WEAK', message, path)
    }
    const large = whyTooLarge(certificate.publicKey)
    if (large !== null) {
      const message = `${who} has ${large}: each handshake with it takes too long`
      found.judge(policy.largeKey, 'KEY_TOO_LARGE', message, path)
    }
    if (!isSelfSigned(certificate) && WEAK_SIGNATURES.has(signatureOid(certificate.raw))) {
      found.judge(
        policy.weakKey,
        'KEY_TOO_WEAK',
        `${who} is signed with SHA-1 or MD5, which clients refuse`,
        path,
      )
    }
  }
}

function judgeNames({ chain, path }: Identity, policy: Policy, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  const covered = new CoveredNames(leaf)
  const missing = policy.requiredNames.filter((name) => !covered.covers(name))
  if (missing.length > 0) {
    const message = `the certificate in ${path} does not cover ${listed(missing)}, which the policy requires`
    found.judge('reject', 'NAME_NOT_COVERED', message, path)
  }
  if (namesOf(leaf).length === 0) {
    const message = `the certificate in ${path} has no subjectAltName; clients ignore the common name (RFC 9525)`
    found.judge('warn', 'NAME_NOT_COVERED', message, path)
  }
}

/** A host that was named must be covered by its certificate. */
export function judgeNamed({ chain, path }: Identity, name: string, found: Findings): void {
  const [leaf] = chain as [X509Certificate]
  if (new CoveredNames(leaf).covers(name)) return
  found.judge('reject', 'NAME_NOT_COVERED', `the certificate in ${path} does not cover ${name}`, path)
}

/** A leaf whose issuer is nowhere to be found most likely lacks its intermediate. */
function judgeCompleteness(
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Policy,
  found: Findings,
): void {
  const { chain, linked, path } = identity
  const [leaf] = chain as [X509Certificate]
  if (judgeLastSignature(identity, anchorsNamed, found) !== 'unknown' || linked > 1) return
  if (chain.length > 1) {
    // Not what a private PKI leaves out on purpose: a chain was meant to be there, and it is another one's.
    const message = `no certificate in ${path} issued the leaf; its issuer is ${oneLine(leaf.issuer)}`
    found.judge('reject', 'CHAIN_INCOMPLETE', message, path)
    return
  }
  const message =
    `${path} holds the leaf alone, and its issuer ${oneLine(leaf.issuer)} is no public root: ` +
    'clients that lack the intermediate will refuse it'
  found.judge(policy.incompleteChain, 'CHAIN_INCOMPLETE', message, path)
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
