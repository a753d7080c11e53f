import type { TrustDomains } from './prepare.js'

/** A trust that peers are judged by. */
export interface PeerTrustParts {
  /** Trust anchors as PEM; `null` without any. */
  readonly authorities: Uint8Array | null
  /** The previous trust anchors. */
  readonly formerAuthorities: Uint8Array | null
  readonly revocationLists: readonly Uint8Array[]
  /** Whether a chain may end at an anchor that is not self-signed. */
  readonly partialChain: boolean
  /** Anchors by trust domain; absent if a peer may end at any anchor. */
  readonly domains?: TrustDomains
  /** See `PreparedTrust`. */
  readonly peerRules?: Uint8Array
}

/** Peers accepted earlier, to be checked against the trust now in force. */
export interface JudgePeersTask extends PeerTrustParts {
  readonly chains: readonly PeerChain[]
  /** The CAs must be valid at this time in milliseconds; absent if the time does not matter. */
  readonly validAtMs?: number
}

/** The certificates with which a peer was accepted. */
export interface PeerChain {
  /** As DER, the peer's own first. */
  readonly certificates: readonly Uint8Array[]
  /**
   * Whether it can contain certificates that the peer did not send: Node adds those it finds among the anchors of the
   * handshake. They do not count once they are no longer anchors.
   */
  readonly completed: boolean
}

/**
 * For each peer, in order, whether the trust in force would accept it. `null` for peers not reached within {@link
 * TASK_BUDGET_MS}; the first is always reached.
 */
export type JudgePeersReply = readonly (boolean | null)[]
