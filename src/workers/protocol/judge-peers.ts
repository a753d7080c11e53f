/** Peers that were accepted before, to be judged by the trust that is in force now. */
export interface JudgePeersTask {
  /** Trust anchors as PEM; `null` without any. */
  readonly authorities: Uint8Array | null
  /** The anchors before. */
  readonly formerAuthorities: Uint8Array | null
  readonly revocationLists: readonly Uint8Array[]
  /** Whether a chain may end at an anchor that did not sign itself. */
  readonly partialChain: boolean
  readonly chains: readonly PeerChain[]
}

/** What is known of the certificates that a peer was accepted by. */
export interface PeerChain {
  /** As DER, the peer's own first. */
  readonly certificates: readonly Uint8Array[]
  /**
   * Whether it can hold certificates that the peer did not send: Node adds those that it finds among the anchors of the
   * handshake. They are worth nothing once they are no anchors any more.
   */
  readonly completed: boolean
}

/**
 * For each peer, in order, whether the trust that is in force would accept it. `null` for those that were not reached
 * within {@link TASK_BUDGET_MS}; the first one always is.
 */
export type JudgePeersReply = readonly (boolean | null)[]
