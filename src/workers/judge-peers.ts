import { X509Certificate } from 'node:crypto'

import { isSelfSigned } from './certificates.js'
import { derOf, splitPem } from './pem.js'
import { revocationName, revokedIn } from './revocation-list.js'
import { issuerOf, serialOf, subjectOf } from './x509.js'

/** Peers that were let in before, to be held against the trust of now. */
export interface JudgePeersTask {
  /** Trust anchors as PEM; `null` without any. */
  readonly authorities: Uint8Array | null
  /** Those before: what a chain was completed with from there is not the peer's own. */
  readonly formerAuthorities: Uint8Array | null
  readonly revocationLists: readonly Uint8Array[]
  /** Whether a chain may end at an anchor that did not sign itself. */
  readonly partialChain: boolean
  /** For each peer its chain as DER, its own certificate first. */
  readonly chains: readonly (readonly Uint8Array[])[]
}

/** For each peer, in order, whether the trust of now would let it in. */
export type JudgePeersReply = readonly boolean[]

/**
 * Looks for a way from each peer's certificate to a trust anchor on which nothing is revoked, as OpenSSL does in a
 * handshake. Validity is not looked at: who has expired did not lose anybody's trust.
 */
export function judgePeers(task: JudgePeersTask): JudgePeersReply {
  const anchors = certificatesIn(task.authorities)
  const former = new Set(certificatesIn(task.formerAuthorities).map(({ name }) => name))
  const revoked = new Set(task.revocationLists.flatMap((pem) => ders(pem).flatMap(revokedIn)))
  const trust = {
    anchors: new Set(anchors.map(({ name }) => name)),
    revoked,
    partialChain: task.partialChain,
  }
  return task.chains.map((chain) => {
    try {
      const [leaf, ...links] = chain.map((der) => certificateOf(Buffer.from(der)))
      if (!leaf) return false
      const own = links.filter(({ name }) => !former.has(name))
      return leadsToAnchor(leaf, [...anchors, ...own], trust, MAX_DEPTH)
    } catch {
      // OpenSSL takes more than DER: a peer that cannot be judged is not trusted.
      return false
    }
  })
}

/** OpenSSL's own limit is 100; real chains have a handful. */
const MAX_DEPTH = 16

interface Certificate {
  readonly der: Buffer
  /** The DER as text, to tell certificates apart by. */
  readonly name: string
  readonly subject: string
}

interface Trust {
  readonly anchors: ReadonlySet<string>
  readonly revoked: ReadonlySet<string>
  readonly partialChain: boolean
}

function leadsToAnchor(
  { der, name }: Certificate,
  known: readonly Certificate[],
  trust: Trust,
  depth: number,
): boolean {
  const issuer = issuerOf(der)
  if (depth === 0 || trust.revoked.has(revocationName(issuer, serialOf(der)))) return false
  const certificate = new X509Certificate(der)
  if (trust.anchors.has(name) && (trust.partialChain || isSelfSigned(certificate))) return true
  return known.some((above) => {
    if (above.subject !== issuer || above.name === name) return false
    return isSignedBy(certificate, above.der) && leadsToAnchor(above, known, trust, depth - 1)
  })
}

function isSignedBy(certificate: X509Certificate, issuerDer: Buffer): boolean {
  const issuer = new X509Certificate(issuerDer)
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    // A key of a kind that OpenSSL does not know signs nothing.
    return false
  }
}

function certificatesIn(pem: Uint8Array | null): Certificate[] {
  return pem === null ? [] : ders(pem).map(certificateOf)
}

function certificateOf(der: Buffer): Certificate {
  return { der, name: der.toString('latin1'), subject: subjectOf(der) }
}

function ders(pem: Uint8Array): Buffer[] {
  return splitPem(pem, 'the trust').map((block) => derOf(block.pem))
}
