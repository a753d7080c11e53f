import { hash } from 'node:crypto'

import { derOf, splitPem } from '../formats/pem.js'
import { PeerCertificate } from '../parse/peer-certificate.js'
import type { JudgePeersReply, JudgePeersTask, PeerChain } from '../protocol/judge-peers.js'
import { isRevoked, type Revocations, readRevocations } from './revocations.js'

/** After this many milliseconds a task starts no further peer. Far below any sensible task timeout. */
const TASK_BUDGET_MS = 500
/**
 * Signature checks per peer. Real chains need fewer than ten, but a peer can send certificates that never end a search:
 * hundreds of reissues of one CA under one name. A peer that exceeds the limit is not accepted.
 */
const MAX_SIGNATURES = 64
/** CAs between a peer and its anchor. OpenSSL's own limit is 100; real chains have a handful. */
const MAX_DEPTH = 16

/**
 * Finds a path from each peer's certificate to a trust anchor without a revoked certificate, as OpenSSL does in a
 * handshake. Validity is ignored: an expired certificate is not withdrawn trust. So are name constraints: OpenSSL
 * checked them on the path of the handshake.
 *
 * Each peer is checked separately. A peer whose certificates cannot be parsed, or lead to no anchor within the budget,
 * is not accepted; others are unaffected.
 */
export function judgePeers(task: JudgePeersTask): JudgePeersReply {
  const trust = trustOf(task)
  const known = new Map<Uint8Array, PeerCertificate | null>()
  const end = performance.now() + TASK_BUDGET_MS
  return task.chains.map((chain, i) => {
    if (i > 0 && performance.now() > end) return null
    try {
      return isAccepted(chain, trust, known)
    } catch {
      return false
    }
  })
}

interface Trust {
  readonly anchors: ReadonlySet<string>
  readonly bySubject: ReadonlyMap<string, readonly PeerCertificate[]>
  readonly former: ReadonlySet<string>
  readonly revocations: readonly Revocations[]
  readonly partialChain: boolean
}

function isAccepted(
  { certificates, completed }: PeerChain,
  trust: Trust,
  known: Map<Uint8Array, PeerCertificate | null>,
): boolean {
  const [leaf, ...links] = certificates.map((der) => certificateOf(der, known))
  if (!leaf) return false
  const own = links.filter((link) => link !== null && !(completed && trust.former.has(link.id)))
  return leadsToAnchor(leaf, groupBySubject(own as PeerCertificate[]), trust)
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
  trust: Trust,
): boolean {
  const visited = new Set([leaf.id])
  const queue: Step[] = [{ certificate: leaf, depth: 0, counted: 0 }]
  let signatures = 0
  for (let step = queue.shift(); step; step = queue.shift()) {
    const { certificate, depth, counted } = step
    if (isEnd(certificate, trust)) return true
    if (depth === MAX_DEPTH) continue
    const above = [...(trust.bySubject.get(certificate.issuer) ?? []), ...(own.get(certificate.issuer) ?? [])]
    for (const issuer of above) {
      if (visited.has(issuer.id) || issuer.pathLength < counted || !certificate.fits(issuer)) continue
      if (signatures++ === MAX_SIGNATURES) return false
      if (!certificate.isSignedBy(issuer)) continue
      if (isRevoked(certificate, issuer.keyId, trust.revocations)) continue
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

function isEnd(certificate: PeerCertificate, { anchors, partialChain, revocations }: Trust): boolean {
  if (!anchors.has(certificate.id)) return false
  if (!certificate.isSelfSigned) return partialChain && !isRevoked(certificate, null, revocations)
  return !isRevoked(certificate, certificate.keyId, revocations)
}

/** Successive tasks use the same trust; lists can hold half a million entries. */
let last: { readonly digest: string; readonly trust: WeakRef<Trust> } | undefined

function trustOf(task: JudgePeersTask): Trust {
  const digest = digestOf(task)
  const kept = last?.digest === digest ? last.trust.deref() : undefined
  const trust = kept ?? readTrust(task)
  last = { digest, trust: new WeakRef(trust) }
  return trust
}

function digestOf({ authorities, formerAuthorities, revocationLists, partialChain }: JudgePeersTask): string {
  const parts = [authorities, formerAuthorities, ...revocationLists]
  return [partialChain, ...parts.map((part) => part && hash('sha256', part))].join()
}

/**
 * An anchor that cannot be read is ignored.
 *
 * @throws RangeError for a revocation list that cannot be read; such a list is never in service.
 */
function readTrust(task: JudgePeersTask): Trust {
  const anchors = certificatesIn(task.authorities)
  return {
    anchors: new Set(anchors.map(({ id }) => id)),
    bySubject: groupBySubject(anchors),
    former: new Set(certificatesIn(task.formerAuthorities).map(({ id }) => id)),
    revocations: task.revocationLists.flatMap((pem) => ders(pem).map(readRevocations)),
    partialChain: task.partialChain,
  }
}

function certificatesIn(pem: Uint8Array | null): PeerCertificate[] {
  const known = new Map<Uint8Array, PeerCertificate | null>()
  return pem === null ? [] : ders(pem).flatMap((der) => certificateOf(der, known) ?? [])
}

/** The chains of many peers often share the same bytes, as one object. */
function certificateOf(
  der: Uint8Array,
  known: Map<Uint8Array, PeerCertificate | null>,
): PeerCertificate | null {
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
