import { hash } from 'node:crypto'

import type { JudgePeersReply, JudgePeersTask, PeerTrustParts } from '../protocol/judge-peers.js'
import { isAcceptedPeer, type KnownCertificates, LIVE, type PeerTrust, readPeerTrust } from './peer-paths.js'
import { PeerRules } from './peer-rules.js'

/** After this many milliseconds a task starts no further peer. Far below any sensible task timeout. */
const TASK_BUDGET_MS = 500

/**
 * Judges each peer by the trust in force and its rules about peers, see {@link isAcceptedPeer}. Validity is ignored unless the
 * task has a time: an expired certificate is not withdrawn trust.
 *
 * Each peer is checked separately. A peer whose certificates cannot be parsed, or lead to no anchor within the budget,
 * is not accepted; others are unaffected.
 */
export function judgePeers(task: JudgePeersTask): JudgePeersReply {
  const { trust, rules } = judgedBy(task)
  const known: KnownCertificates = new Map()
  const pathRules =
    task.validAtMs === undefined ? LIVE : { ...LIVE, validAtMs: task.validAtMs, needsLists: true }
  const end = performance.now() + TASK_BUDGET_MS
  return task.chains.map((chain, i) => {
    if (i > 0 && performance.now() > end) return null
    try {
      const [leaf] = chain.certificates
      if (rules && !(leaf && rules.admits(leaf))) return false
      return isAcceptedPeer(chain, trust, known, pathRules)
    } catch {
      return false
    }
  })
}

interface Judged {
  readonly trust: PeerTrust
  readonly rules: PeerRules | null
}

/** Successive tasks use the same trust; lists can hold half a million entries. */
let last: { readonly digest: string; readonly judged: WeakRef<Judged> } | undefined

function judgedBy(task: PeerTrustParts): Judged {
  const digest = digestOf(task)
  const kept = last?.digest === digest ? last.judged.deref() : undefined
  const judged = kept ?? {
    trust: readPeerTrust(task),
    rules: task.peerRules ? PeerRules.of(task.peerRules) : null,
  }
  last = { digest, judged: new WeakRef(judged) }
  return judged
}

function digestOf(task: PeerTrustParts): string {
  const { authorities, formerAuthorities, revocationLists, partialChain, domains, peerRules } = task
  const parts = [authorities, formerAuthorities, peerRules, ...revocationLists]
  return [partialChain, JSON.stringify(domains), ...parts.map((part) => part && hash('sha256', part))].join()
}
