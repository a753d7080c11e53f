import type tls from 'node:tls'

import {
  isAcceptedPeer,
  type PathRules,
  type PeerTrust,
  readPeerTrust,
} from '../../workers/judge/peer-paths.js'
import type { PeerChain } from '../../workers/protocol/judge-peers.js'
import type { PreparedTrust } from '../../workers/protocol/prepare.js'
import type { TrustTerms } from '../generation/trust-change.js'
import { type KnownPeer, knownIntermediates, knownPeerOf, rereadChain } from './peer-chains.js'

/*
 * With trust domains, OpenSSL verifies a peer by the anchors of all domains, because it cannot choose them by the certificate
 * that it verifies. So the CA of one domain could vouch for identities of another. This check closes that gap: at the end of
 * each handshake, before the application reads a byte, the peer's chain must end at an anchor of the peer's own domain.
 *
 * It runs on the main thread, because a handshake cannot be held: a worker's answer would come after the first request. A new
 * peer takes less than a millisecond, and its verdict is kept.
 */

/** Milliseconds for which a verdict is kept. Only the end of a CA's validity can change it. */
const KEPT_MS = 60_000
/** Signature checks for one peer. A chain of a workload has two or three. */
const MAX_SIGNATURES = 8

interface Judge {
  readonly trust: PeerTrust
  readonly acceptedAtMs: WeakMap<KnownPeer, number>
}

const judges = new WeakMap<PreparedTrust, Map<boolean, Judge>>()

type DomainTerms = Pick<TrustTerms, 'trust' | 'options'>

/**
 * Whether an authorized connection may be used: its peer is verified by its own trust domain, or the trust has no domains.
 * `false` if the certificates of the peer cannot be read.
 */
export function isOfOwnDomain(socket: tls.TLSSocket, { trust, options }: DomainTerms): boolean {
  if (trust.domains === undefined || !socket.authorized) return true
  const peer = knownPeerOf(socket)
  if (peer === null) return false
  const judge = judgeOf({ trust, options })
  const now = Date.now()
  const at = judge.acceptedAtMs.get(peer)
  if (at !== undefined && now >= at && now - at < KEPT_MS) return true
  if (isAccepted(chainToJudge(peer), judge, now)) {
    judge.acceptedAtMs.set(peer, now)
    return true
  }
  // So far, the connection was assumed to have the same chain as an earlier one with this leaf.
  const own = rereadChain(socket, peer)
  return own !== peer && isAccepted(chainToJudge(own), judge, now)
}

/** A resumed connection lacks the intermediates; another client of the same CA may have sent them. */
function chainToJudge({ certificates, completed, whole }: KnownPeer): PeerChain {
  return { certificates: whole ? certificates : [...certificates, ...knownIntermediates()], completed }
}

/** Whether the chain of a remote server ends at an anchor of the server's own domain; `true` without trust domains. */
export function isServerOfOwnDomain(certificate: tls.PeerCertificate, terms: DomainTerms): boolean {
  if (terms.trust.domains === undefined) return true
  return isAccepted({ certificates: chainOf(certificate), completed: true }, judgeOf(terms), Date.now())
}

function judgeOf({ trust, options }: DomainTerms): Judge {
  const partialChain = options.allowPartialTrustChain === true
  const known = judges.get(trust) ?? new Map<boolean, Judge>()
  judges.set(trust, known)
  const judge = known.get(partialChain) ?? { trust: parsed(trust, partialChain), acceptedAtMs: new WeakMap() }
  known.set(partialChain, judge)
  return judge
}

function parsed({ authorities, revocationLists, domains }: PreparedTrust, partialChain: boolean): PeerTrust {
  return readPeerTrust({
    authorities: authorities?.pem ?? null,
    formerAuthorities: null,
    revocationLists,
    partialChain,
    ...(domains && { domains }),
  })
}

function isAccepted(chain: PeerChain, { trust }: Judge, nowMs: number): boolean {
  const rules: PathRules = { validAtMs: nowMs, maxSignatures: MAX_SIGNATURES, needsLists: false }
  try {
    return isAcceptedPeer(chain, trust, new Map(), rules)
  } catch {
    return false
  }
}

/** Maximum number of certificates read from one chain. */
const MAX_CERTIFICATES = 32

/** The certificates in the object that Node passes to `checkServerIdentity`. A root is its own issuer. */
function chainOf(certificate: tls.PeerCertificate): Uint8Array[] {
  const seen = new Set<object>()
  const chain: Uint8Array[] = []
  let next = certificate as tls.DetailedPeerCertificate | undefined
  for (; next?.raw && !seen.has(next) && chain.length < MAX_CERTIFICATES; next = next.issuerCertificate) {
    seen.add(next)
    chain.push(new Uint8Array(next.raw))
  }
  return chain
}
