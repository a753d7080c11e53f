import type tls from 'node:tls'

import type { PreparedTrust } from '../../workers/protocol.js'
import { buildContext, type ContextPlan, wholeOptions } from './build-context.js'
import type { Snapshot } from './generation.js'
import type { Host } from './host-table.js'
import { runAtOnce, runInSlices, type SliceGauge } from './slices.js'
import type { SpareShelf } from './spare-shelf.js'
import type { TicketKeys } from './ticket-keys.js'
import { type PeerPolicy, peerPolicyKey, trustIdentity } from './trust-identity.js'
import type { UsedContext } from './used-context.js'

/** What contexts are made of. */
export interface Supplies {
  readonly spares: SpareShelf
  /** Whether a server answers OCSP requests of its clients. */
  readonly needsIssuer: boolean
}

/** The contexts of one generation: one for each peer policy in use, shared by all servers that have it. */
export class ContextBook {
  readonly #snapshot: Snapshot
  readonly #tickets: TicketKeys
  readonly #contexts = new Map<string, { readonly plan: ContextPlan; readonly context: tls.SecureContext }>()
  /** By policy: every handshake with a host asks for one. */
  readonly #trustIdentities = new Map<string, string>()
  #client: tls.SecureContext | null = null

  constructor(snapshot: Snapshot, tickets: TicketKeys) {
    this.#snapshot = snapshot
    this.#tickets = tickets
  }

  has(peers: PeerPolicy): boolean {
    return this.#contexts.has(peerPolicyKey(peers))
  }

  /** Builds the context of a policy in slices, from a spare or from one that has served when there is one that fits. */
  async stage(peers: PeerPolicy, { spares, needsIssuer }: Supplies, gauge: SliceGauge): Promise<void> {
    const plan = this.planFor(peers)
    const build = spares.take(plan, needsIssuer ? null : this.#keyTypes) ?? buildContext(plan)
    this.#contexts.set(peerPolicyKey(peers), { plan, context: await runInSlices(build, gauge) })
  }

  /** The context of a policy; built at once when it was not staged. */
  contextFor(peers: PeerPolicy): tls.SecureContext {
    const key = peerPolicyKey(peers)
    const known = this.#contexts.get(key)
    if (known) return known.context
    const plan = this.planFor(peers)
    const context = runAtOnce(buildContext(plan))
    this.#contexts.set(key, { plan, context })
    return context
  }

  /** The options that a server of this policy is made with. */
  optionsFor(peers: PeerPolicy): tls.SecureContextOptions {
    return wholeOptions(this.planFor(peers))
  }

  /** Builds the context of outgoing connections in slices. */
  async stageClient(gauge: SliceGauge): Promise<void> {
    this.#client = await runInSlices(buildContext(this.#clientPlan()), gauge)
  }

  /** The context of outgoing connections. Whoever has it may keep it, so it is never freed here. */
  clientContext(): tls.SecureContext {
    this.#client ??= runAtOnce(buildContext(this.#clientPlan()))
    return this.#client
  }

  planFor(peers: PeerPolicy): ContextPlan {
    const { material, options } = this.#snapshot
    const sessionIdContext = this.#trustIdentity(peers)
    const ticketKeys = this.#tickets.keysFor(sessionIdContext, material.ticketSecret)
    return { material, options: options.context, session: { sessionIdContext, ticketKeys } }
  }

  /**
   * What the context of a host is built from. Node takes the pair and, for clients' certificates, the trust from it;
   * versions, ciphers and ticket keys stay those of the default context.
   */
  planForHost({ pair }: Host, peers: PeerPolicy): ContextPlan {
    const { material, options } = this.#snapshot
    const trust = peers.requestCert ? material.trust : NO_TRUST
    return {
      material: { pairs: [pair], trust, dhparam: null, ticketSecret: null },
      options: options.context,
      session: { sessionIdContext: this.#trustIdentity(peers), ticketKeys: null },
    }
  }

  /** Hands every context over but those that somebody else may still hand out. */
  release(pinned: WeakSet<tls.SecureContext>): UsedContext[] {
    const all = [...this.#contexts.values()].filter(({ context }) => !pinned.has(context))
    this.#contexts.clear()
    return all.map(({ plan, context }) => ({ plan, context, keyTypes: this.#keyTypes }))
  }

  get #keyTypes(): string[] {
    return this.#snapshot.generation.certificates.map(({ keyType }) => keyType)
  }

  #trustIdentity(peers: PeerPolicy): string {
    const key = peerPolicyKey(peers)
    const { generation, options } = this.#snapshot
    const partialChain = options.context.allowPartialTrustChain === true
    const known = this.#trustIdentities.get(key)
    const identity = known ?? trustIdentity(generation.trust.digest, peers, partialChain)
    this.#trustIdentities.set(key, identity)
    return identity
  }

  #clientPlan(): ContextPlan {
    const { material, options } = this.#snapshot
    return { material, options: options.context, session: null }
  }
}

/** Where clients are not asked for certificates. */
const NO_TRUST: PreparedTrust = Object.freeze({ authorities: null, revocationLists: [], problems: [] })
