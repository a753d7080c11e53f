import type tls from 'node:tls'

import type { ContextOptions } from '../../workers/protocol.js'
import { buildContext, type ContextPlan, wholeOptions } from './build-context.js'
import type { Snapshot } from './generation.js'
import { closeContext } from './native-context.js'
import { runAtOnce, runInSlices, type SliceGauge } from './slices.js'
import { type PeerPolicy, peerPolicyKey, ticketKeys, trustIdentity } from './trust-identity.js'

/** The contexts of one generation: one for each peer policy in use, shared by all servers that have it. */
export class ContextBook {
  readonly #snapshot: Snapshot
  readonly #options: ContextOptions
  readonly #secret: Uint8Array
  readonly #contexts = new Map<string, tls.SecureContext>()

  constructor(snapshot: Snapshot, options: ContextOptions, secret: Uint8Array) {
    this.#snapshot = snapshot
    this.#options = options
    this.#secret = secret
  }

  has(peers: PeerPolicy): boolean {
    return this.#contexts.has(peerPolicyKey(peers))
  }

  /** Builds the context of a policy in slices. */
  async stage(peers: PeerPolicy, gauge: SliceGauge): Promise<void> {
    this.#contexts.set(peerPolicyKey(peers), await runInSlices(buildContext(this.#plan(peers)), gauge))
  }

  /** The context of a policy; built at once when it was not staged. */
  contextFor(peers: PeerPolicy): tls.SecureContext {
    const key = peerPolicyKey(peers)
    const context = this.#contexts.get(key) ?? runAtOnce(buildContext(this.#plan(peers)))
    this.#contexts.set(key, context)
    return context
  }

  /** The options that a server of this policy is made with. */
  optionsFor(peers: PeerPolicy): tls.SecureContextOptions {
    return wholeOptions(this.#plan(peers))
  }

  /** Frees every context but those that somebody else may still hand out. */
  retire(pinned: WeakSet<tls.SecureContext>): void {
    for (const context of this.#contexts.values()) {
      if (!pinned.has(context)) closeContext(context)
    }
    this.#contexts.clear()
  }

  #plan(peers: PeerPolicy): ContextPlan {
    const { generation, material } = this.#snapshot
    const partialChain = this.#options.allowPartialTrustChain === true
    const identity = trustIdentity(generation.trust.digest, peers, partialChain)
    return {
      material,
      options: this.#options,
      sessionIdContext: identity,
      ticketKeys: ticketKeys(this.#secret, identity),
    }
  }
}
