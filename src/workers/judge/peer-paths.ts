import { hash } from 'node:crypto'

import { derOf, splitPem } from '../formats/pem.js'
import { PeerCertificate } from '../parse/peer-certificate.js'
import type { PeerChain, PeerTrustParts } from '../protocol/judge-peers.js'
import { hasCurrentList, isRevoked, type Revocations, readRevocations } from './revocations.js'

/**
 * Signature checks per peer. Real chains need fewer than ten, but a peer can send certificates that never end a search:
 * hundreds of reissues of one CA under one name. A peer that exceeds the limit is not accepted.
 */
const MAX_SIGNATURES = 64
/** CAs between a peer and its anchor. OpenSSL's own limit is 100; real chains have a handful. */
const MAX_DEPTH = 16

/** A trust that peers are judged by, parsed. */
export interface PeerTrust {
  readonly whole: Anchors
  /** The anchors of each trust domain; `null` if a peer may end at any anchor. */
  readonly byDomain: ReadonlyMap<string, Anchors> | null
  readonly former: ReadonlySet<string>
  readonly revocations: readonly Revocations[]
  readonly partialChain: boolean
}

interface Anchors {
  readonly ids: ReadonlySet<string>
  readonly bySubject: ReadonlyMap<string, readonly PeerCertificate[]>
}

/** Certificates that several peers sent, parsed once. */
export type KnownCertificates = Map<Uint8Array, PeerCertificate | null>

/** Rules of a search that differ from those of the judgement of live connections. */
export interface PathRules {
  /**
   * The CAs of the path must be valid at this time in milliseconds, and with trust domains their name constraints must allow
   * the peer's domain: OpenSSL may have checked another path. `null`: neither is checked.
   */
  readonly validAtMs: number | null
  readonly maxSignatures: number
  /**
   * Whether each certificate of the path needs a current revocation list of its CA, if the trust has any list: as in a handshake,
   * where Node checks the whole path (`X509_V_FLAG_CRL_CHECK_ALL`).
   */
  readonly needsLists: boolean
}

/** The rules for live connections. */
export const LIVE: PathRules = { validAtMs: null, maxSignatures: MAX_SIGNATURES, needsLists: false }

/**
 * Whether a path leads from a peer's certificate to a trust anchor without a revoked certificate, as OpenSSL finds one in a
 * handshake. Name constraints are ignored, except as {@link PathRules} says: OpenSSL
 * checked them on the path of the handshake.
 *
 * With trust domains, the path must end at an anchor of the peer's own domain, and may use no other anchor: otherwise the CA
 * of one domain could vouch for identities of another.
 *
 * @throws RangeError if certificates of the peer cannot be read.
 */
export function isAcceptedPeer(
  { certificates, completed }: PeerChain,
  trust: PeerTrust,
  known: KnownCertificates,
  rules: PathRules = LIVE,
): boolean {
  const [leaf, ...links] = certificates.map((der) => certificateOf(der, known))
  const anchors = leaf && anchorsFor(leaf, trust)
  if (!anchors) return false
  const own = links.filter((link) => link !== null && !(completed && trust.former.has(link.id)))
  return leadsToAnchor(leaf, groupBySubject(own as PeerCertificate[]), anchors, trust, rules)
}

function anchorsFor(leaf: PeerCertificate, { whole, byDomain }: PeerTrust): Anchors | undefined {
  if (byDomain === null) return whole
  const { trustDomain } = leaf
  return trustDomain === null ? undefined : byDomain.get(trustDomain)
}

interface Step {
  readonly certificate: PeerCertificate
  /** Number of certificates below it, and of those that count for a path length: CAs that are not self-issued. */
  readonly depth: number
  readonly counted: number
}

/** Breadth first: the shortest path to a certificate is the most likely to satisfy any path length. */
function leadsToAnchor(
  leaf: PeerCertificate,
  own: ReadonlyMap<string, readonly PeerCertificate[]>,
  anchors: Anchors,
  trust: PeerTrust,
  { validAtMs, maxSignatures, needsLists }: PathRules,
): boolean {
  const visited = new Set([leaf.id])
  const domain = trust.byDomain === null || validAtMs === null ? null : leaf.trustDomain
  const queue: Step[] = [{ certificate: leaf, depth: 0, counted: 0 }]
  const lists = needsLists ? trust.revocations : []
  let signatures = 0
  for (let step = queue.shift(); step; step = queue.shift()) {
    const { certificate, depth, counted } = step
    if (isEnd(certificate, anchors, trust)) return true
    if (depth === MAX_DEPTH) continue
    const above = [
      ...(anchors.bySubject.get(certificate.issuer) ?? []),
      ...(own.get(certificate.issuer) ?? []),
    ]
    for (const issuer of above) {
      if (visited.has(issuer.id) || issuer.pathLength < counted || !certificate.fits(issuer)) continue
      if (validAtMs !== null && !issuer.isValidAt(validAtMs)) continue
      if (domain !== null && !issuer.permitsDomain(domain)) continue
      if (signatures++ === maxSignatures) return false
      if (!certificate.isSignedBy(issuer)) continue
      if (isRevoked(certificate, issuer.keyId, trust.revocations)) continue
      if (lists.length > 0 && !hasCurrentList(certificate, issuer.keyId, lists)) continue
      visited.add(issuer.id)
      queue.push({
        certificate: issuer,
        depth: depth + 1,
        counted: counted + (issuer.isSelfIssued ? 0 : 1),
      })
    }
  }
  return false
}

function isEnd(
  certificate: PeerCertificate,
  { ids }: Anchors,
  { partialChain, revocations }: PeerTrust,
): boolean {
  if (!ids.has(certificate.id)) return false
  if (!certificate.isSelfSigned) return partialChain && !isRevoked(certificate, null, revocations)
  return !isRevoked(certificate, certificate.keyId, revocations)
}

/**
 * Parses a trust. An anchor that cannot be read is ignored.
 *
 * @throws RangeError for a revocation list that cannot be read; such a list is never in service.
 */
export function readPeerTrust(parts: PeerTrustParts): PeerTrust {
  const anchors = certificatesIn(parts.authorities)
  return {
    whole: anchorsOf(anchors),
    byDomain: parts.domains ? anchorsByDomain(anchors, parts.domains) : null,
    former: new Set(certificatesIn(parts.formerAuthorities).map(({ id }) => id)),
    revocations: parts.revocationLists.flatMap((pem) => ders(pem).map(readRevocations)),
    partialChain: parts.partialChain,
  }
}

function anchorsByDomain(
  anchors: readonly PeerCertificate[],
  domains: NonNullable<PeerTrustParts['domains']>,
): Map<string, Anchors> {
  const byDigest = new Map(anchors.map((anchor) => [hash('sha256', anchor.der), anchor]))
  return new Map(
    Object.entries(domains).map(([domain, digests]) => [
      domain,
      anchorsOf(digests.flatMap((digest) => byDigest.get(digest) ?? [])),
    ]),
  )
}

function anchorsOf(anchors: readonly PeerCertificate[]): Anchors {
  return { ids: new Set(anchors.map(({ id }) => id)), bySubject: groupBySubject(anchors) }
}

function certificatesIn(pem: Uint8Array | null): PeerCertificate[] {
  const known: KnownCertificates = new Map()
  return pem === null ? [] : ders(pem).flatMap((der) => certificateOf(der, known) ?? [])
}

/** The chains of many peers often share the same bytes, as one object. */
function certificateOf(der: Uint8Array, known: KnownCertificates): PeerCertificate | null {
  const found = known.get(der)
  if (found !== undefined) return found
  const certificate = parse(der)
  known.set(der, certificate)
  return certificate
}

function parse(der: Uint8Array): PeerCertificate | null {
  try {
    return new PeerCertificate(der)
  } catch {
    return null
  }
}

function groupBySubject(certificates: readonly PeerCertificate[]): Map<string, PeerCertificate[]> {
  const groups = new Map<string, PeerCertificate[]>()
  for (const certificate of certificates) {
    const group = groups.get(certificate.subject)
    if (group) group.push(certificate)
    else groups.set(certificate.subject, [certificate])
  }
  return groups
}

function ders(pem: Uint8Array): Buffer[] {
  return splitPem(pem, 'the trust').map((block) => derOf(block.pem))
}
