import { hash } from 'node:crypto'

import type { JudgePeersReply, JudgePeersTask, PeerTrustParts } from '../protocol/judge-peers.js'
import { isAcceptedPeer, type KnownCertificates, type PeerTrust, readPeerTrust } from './peer-paths.js'

/** After this many milliseconds a task starts no further peer. Far below any sensible task timeout. */
const TASK_BUDGET_MS = 500

/**
 * Judges each peer by the trust in force, see {@link isAcceptedPeer}. Validity is ignored: an expired certificate is not
 * withdrawn trust.
 *
 * Each peer is checked separately. A peer whose certificates cannot be parsed, or lead to no anchor within the budget,
 * is not accepted; others are unaffected.
 */
export function judgePeers(task: JudgePeersTask): JudgePeersReply {
  const trust = trustOf(task)
  const known: KnownCertificates = new Map()
  const end = performance.now() + TASK_BUDGET_MS
  return task.chains.map((chain, i) => {
    if (i > 0 && performance.now() > end) return null
    try {
      return isAcceptedPeer(chain, trust, known)
    } catch {
      return false
    }
  })
}

/** Successive tasks use the same trust; lists can hold half a million entries. */
let last: { readonly digest: string; readonly trust: WeakRef<PeerTrust> } | undefined

function trustOf(task: PeerTrustParts): PeerTrust {
  const digest = digestOf(task)
  const kept = last?.digest === digest ? last.trust.deref() : undefined
  const trust = kept ?? readPeerTrust(task)
  last = { digest, trust: new WeakRef(trust) }
  return trust
}

function digestOf(trust: PeerTrustParts): string {
  const { authorities, formerAuthorities, revocationLists, partialChain, domains } = trust
  const parts = [authorities, formerAuthorities, ...revocationLists]
  return [partialChain, JSON.stringify(domains), ...parts.map((part) => part && hash('sha256', part))].join()
}
