import { randomUUID } from 'node:crypto'
import type tls from 'node:tls'

import type { ContextOptions } from '../../workers/protocol/material.js'
import { ReloadError } from '../base/errors.js'
import { bindTerms } from './accepted-terms.js'
import { buildContext, type ContextBuild, type ContextPlan, wholeOptions } from './build-context.js'
import type { ServedMaterial, Snapshot } from './generation.js'
import { serverTrustOf } from './host-plan.js'
import { serverContextOptions } from './security-level.js'
import { runAtOnce, runInSlices, type SliceGauge } from './slices.js'
import type { SpareContexts } from './spare-contexts.js'
import type { TicketKeys } from './ticket-keys.js'
import type { TrustTerms } from './trust-change.js'
import { type PeerPolicy, peerPolicyKey, trustIdentity } from './trust-identity.js'
import type { UsedContext } from './used-context.js'

/** Inputs of a build that do not depend on the peer policy. */
export interface Supplies {
  readonly spares: SpareContexts
  /** Whether a server answers OCSP requests of its clients. */
  readonly needsIssuer: boolean
}

/** The contexts of one generation: one for each peer policy in use, shared by all servers that have it. */
export class GenerationContexts {
  readonly #snapshot: Snapshot
  readonly #tickets: TicketKeys
  readonly #contexts = new Map<string, { readonly plan: ContextPlan; readonly context: tls.SecureContext }>()
  /** By policy. Every handshake reads one. */
  readonly #terms = new Map<string, TrustTerms>()
  #client: tls.SecureContext | null = null

  constructor(snapshot: Snapshot, tickets: TicketKeys) {
    this.#snapshot = snapshot
    this.#tickets = tickets
  }

  has(peers: PeerPolicy): boolean {
    return this.#contexts.has(peerPolicyKey(peers))
  }

  /** Builds the context of a policy in slices, from a spare or a used context if one fits. */
  async stage(peers: PeerPolicy, { spares, needsIssuer }: Supplies, gauge: SliceGauge): Promise<void> {
    const plan = this.planFor(peers)
    const build = spares.take(plan, needsIssuer ? null : this.#keyTypes) ?? buildContext(plan)
    const context = await runInSlices(build, gauge)
    bindTerms(context, this.termsFor(peers))
    this.#contexts.set(peerPolicyKey(peers), { plan, context })
  }

  /** The context of a policy; built synchronously if it was not staged. */
  contextFor(peers: PeerPolicy): tls.SecureContext {
    const key = peerPolicyKey(peers)
    const known = this.#contexts.get(key)
    if (known) return known.context
    const plan = this.planFor(peers)
    const context = runAtOnce(buildContext(plan))
    bindTerms(context, this.termsFor(peers))
    this.#contexts.set(key, { plan, context })
    return context
  }

  /** The options to create a server of this policy. */
  optionsFor(peers: PeerPolicy): tls.SecureContextOptions {
    return wholeOptions(this.planFor(peers))
  }

  /** Builds the context of outgoing connections in slices. */
  async stageClient(gauge: SliceGauge): Promise<void> {
    this.#client = await runInSlices(this.#buildClient(), gauge)
  }

  /** The context of outgoing connections. Never freed here, because its holders may keep it. */
  clientContext(): tls.SecureContext {
    this.#client ??= runAtOnce(this.#buildClient())
    return this.#client
  }

  planFor(peers: PeerPolicy): ContextPlan {
    const { material } = this.#snapshot
    const sessionIdContext = this.termsFor(peers).identity
    const ticketKeys = this.#tickets.keysFor(sessionIdContext, material.ticketSecret)
    return {
      material: { ...material, trust: serverTrustOf(material.trust) },
      options: this.#serverOptions,
      session: { sessionIdContext, ticketKeys },
    }
  }

  /** The terms on which servers of this policy admit peers in this generation. */
  termsFor(peers: PeerPolicy): TrustTerms {
    const key = peerPolicyKey(peers)
    const known = this.#terms.get(key)
    if (known) return known
    const { generation, material, options } = this.#snapshot
    const partialChain = options.context.allowPartialTrustChain === true
    const { digest: shared } = generation.trust
    const digest = peers.requestCert ? sessionsOf(shared, material.trust) : shared
    const identity = trustIdentity(digest, peers, partialChain)
    const terms = { identity, peers, trust: material.trust, options: this.#serverOptions }
    this.#terms.set(key, terms)
    return terms
  }

  /** Removes and returns all contexts except `pinned` ones, which other code may still use for new connections. */
  release(pinned: WeakSet<tls.SecureContext>): UsedContext[] {
    const all = [...this.#contexts.values()].filter(({ context }) => !pinned.has(context))
    this.#contexts.clear()
    return all.map(({ plan, context }) => ({ plan, context, keyTypes: this.#keyTypes }))
  }

  get #serverOptions(): ContextOptions {
    const { material, options } = this.#snapshot
    return serverContextOptions(options, material.trust.authorities !== null)
  }

  get #keyTypes(): string[] {
    return this.#snapshot.generation.certificates.map(({ keyType }) => keyType)
  }

  /** @throws ReloadError `CONTEXT_REFUSED` for a weak certificate that only the level of servers loads. */
  *#buildClient(): ContextBuild {
    const { material, options } = this.#snapshot
    try {
      return yield* buildContext({ material, options: options.context, session: null })
    } catch (error) {
      if (serverContextOptions(options, false) === options.context) throw error
      throw new ReloadError('CONTEXT_REFUSED', WEAK_CLIENT, { cause: error })
    }
  }
}

/**
 * With trust domains, sessions are resumed only in the process that judged their peer: a resumed connection lacks the
 * intermediates of its peer, and a process that has not seen them could not judge it.
 */
function sessionsOf(digest: string | null, { domains }: ServedMaterial['trust']): string | null {
  return domains === undefined ? digest : `${digest} ${THIS_PROCESS}`
}

const THIS_PROCESS = randomUUID()

const WEAK_CLIENT =
  'the certificate is too weak for outgoing connections: `policy.weakKey` lowers the security level of servers only; ' +
  'set `tls.ciphers` to "DEFAULT@SECLEVEL=0", which also accepts weak certificates of remote servers'
