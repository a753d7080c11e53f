import { hash } from 'node:crypto'

import { derOf, splitPem } from '../formats/pem.js'
import { PeerCertificate } from '../parse/peer-certificate.js'
import type { JudgePeersReply, JudgePeersTask, PeerChain } from '../protocol/judge-peers.js'
import { isRevoked, type Revocations, readRevocations } from './revocations.js'

/** After this many milliseconds a task begins with no other peer. Far below any sensible time limit of a task. */
const TASK_BUDGET_MS = 500
/**
 * Signatures that are checked for one peer. Real chains need fewer than ten. A peer can send certificates that keep a
 * search busy for ever: hundreds of re-issues of one CA under one name. It is not accepted when they are used up.
 */
const MAX_SIGNATURES = 64
/** CAs between a peer and its anchor. OpenSSL's own limit is 100; real chains have a handful. */
const MAX_DEPTH = 16

/**
 * Looks for a path from each peer's certificate to a trust anchor on which nothing is revoked, as OpenSSL does in a
 * handshake. Validity is not looked at: a certificate that has expired has not lost its issuer's trust. Name constraints are
 * not either: OpenSSL has checked them on the path that the handshake took.
 *
 * Each peer is judged by itself. One whose certificates cannot be parsed, or lead nowhere within the budget, is not
 * accepted, and makes no difference to the others.
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
  /** Certificates below it, and those of them that count for a path length: CAs, those that issued themselves apart. */
  readonly depth: number
  readonly counted: number
}

/** Breadth first: the shortest path to a certificate is the one that any path length allows soonest. */
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

/** Tasks of one look come one after the other with the same trust; lists can hold half a million entries. */
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
 * An anchor that cannot be read vouches for nothing.
 *
 * @throws RangeError for a revocation list that cannot be read; none such is ever in service.
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

/** The same bytes are often in the chains of many peers, as one object. */
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
