import tls from 'node:tls'

import type { Problem } from '../../workers/base/problem.js'
import type { Detach } from '../api/serving-engine.js'
import { ReloadError } from '../base/errors.js'
import { bindTerms } from '../generation/accepted-terms.js'
import type { Snapshot } from '../generation/generation.js'
import {
  canPoint,
  currentContext,
  peerPolicyOf,
  pointAt,
  setPeerPolicy,
} from '../generation/native-context.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { type PeerPolicy, peerPolicyKey } from '../generation/trust-identity.js'
import { assertServerSupported } from '../runtime/runtime-support.js'
import type { ConnectionGenerations } from './connection-generations.js'
import type { HandshakeTrust } from './handshake-trust.js'
import {
  hasOtherContext,
  hasOtherTicketKeys,
  keysBeforeAttach,
  overridesOf,
  type PointedServer,
} from './overrides.js'
import { followHandshakes, followPeers } from './peer-chains.js'
import { assertServable } from './servable-trust.js'
import type { ServedState } from './served-state.js'
import type { Stapling } from './stapling.js'
import { noteSocketPath } from './verify-targets.js'

/** Called with the error if the trust in force cannot serve a server that listens again. */
export type Unservable = (error: ReloadError) => void

interface AttachedServer extends PointedServer {
  /** Its own peer policy; `null` if it follows the engine's options. */
  readonly ownPeers: PeerPolicy | null
  readonly detach: Detach
  context: tls.SecureContext | undefined
  ticketKeys: Uint8Array | null
}

/** A server is attached to at most one engine. */
const owners = new WeakMap<tls.Server, AttachedServers>()

/** The servers whose certificates an engine swaps. */
export class AttachedServers {
  readonly #attached = new Map<tls.Server, AttachedServer>()
  /** Includes closed servers, which may listen again. Weak: it does not keep a server alive. */
  readonly #known = new WeakMap<tls.Server, Detach>()
  readonly #left = new Set<WeakRef<tls.Server>>()
  /** Policies of `serverOptions()` results whose server is not attached yet. */
  readonly #reservedPolicies = new Map<string, PeerPolicy>()
  readonly #pinned: WeakSet<tls.SecureContext>
  readonly #connections: ConnectionGenerations
  readonly #handshakeTrust: HandshakeTrust
  readonly #stapling: Stapling
  /** Overrides by the application that the engine has undone. */
  readonly #ended: Problem[] = []
  #closed = false

  /** `pinned` collects the contexts that detached servers keep using, which must not be freed. */
  constructor(
    pinned: WeakSet<tls.SecureContext>,
    connections: ConnectionGenerations,
    handshakeTrust: HandshakeTrust,
    stapling: Stapling,
  ) {
    this.#pinned = pinned
    this.#connections = connections
    this.#handshakeTrust = handshakeTrust
    this.#stapling = stapling
  }

  get size(): number {
    return this.#attached.size
  }

  get all(): readonly tls.Server[] {
    return [...this.#attached.keys()]
  }

  get listening(): readonly tls.Server[] {
    return [...this.#attached.keys()].filter((server) => server.listening)
  }

  /** Whether the application answers OCSP requests of any of them, for which Node hands it the issuer of its leaf. */
  get answerOcspRequests(): boolean {
    return [...this.#attached.keys()].some((server) => this.#stapling.isAnsweredElsewhere(server))
  }

  /** Whether the engine is closed: no server is changed any more, not even one that listens again. */
  get closed(): boolean {
    return this.#closed
  }

  /** The distinct policies of the servers under these options; each needs its own context. */
  policiesUnder(options: ResolvedOptions): PeerPolicy[] {
    const all = [...this.#attached.values()].map(({ ownPeers }) => ownPeers ?? options.peers)
    return [...new Map(all.map((peers) => [peerPolicyKey(peers), peers])).values()]
  }

  /** Policies that differ from the engine's options: of attached servers and of `serverOptions()` results. */
  get ownPolicies(): PeerPolicy[] {
    const attached = [...this.#attached.values()].flatMap(({ ownPeers }) => ownPeers ?? [])
    return [...attached, ...this.#reservedPolicies.values()]
  }

  /** Keeps the policy of a `serverOptions()` result until a server with that policy is attached. */
  reservePolicy(peers: PeerPolicy): void {
    this.#reservedPolicies.set(peerPolicyKey(peers), peers)
  }

  /**
   * Adds a server and points it at the generation that `current` returns. A server that closes is removed, and added again
   * when it listens again. If the trust in force cannot serve it then, it refuses clients, and `unservable` is called because
   * no caller could catch an error.
   *
   * @throws ReloadError `OPTIONS_INVALID`, `RUNTIME_UNSUPPORTED`, or the code of the first problem of the trust; then nothing
   * has changed.
   */
  attach(server: tls.Server, current: () => ServedState, unservable: Unservable): Detach {
    const { snapshot } = current()
    assertServerSupported(server, { hosts: snapshot.options.hosts !== null })
    assertServer(server, this)
    const known = this.#known.get(server)
    if (known) return known
    const own = peerPolicyOf(server) ?? snapshot.options.peers
    assertServable(snapshot.material.trust, [own], 'attach: the server')
    owners.set(server, this)
    const unfollow = this.#connections.follow(server)
    const unfollowPeers = followPeers(server)
    this.#reservedPolicies.delete(peerPolicyKey(own))
    const asEngine = peerPolicyKey(own) === peerPolicyKey(snapshot.options.peers)
    const attached: AttachedServer = {
      server,
      ownPeers: asEngine ? null : own,
      detach,
      context: undefined,
      ticketKeys: null,
    }
    this.#note(keysBeforeAttach(server))
    const peersIn = ({ snapshot }: ServedState) => attached.ownPeers ?? snapshot.options.peers
    const unfollowTrust = this.#handshakeTrust.follow(server, peersIn)
    const unstaple = this.#stapling.follow(server, () => hasOtherContext(attached))
    const registry = this
    const noteAddress = () => noteSocketPath(server)
    function add(): void {
      if (registry.#closed || registry.#attached.has(server)) return
      registry.#attached.set(server, attached)
      point(attached, current())
    }
    function addAgain(): void {
      if (registry.#closed || registry.#attached.has(server)) return
      add()
      const { material, options } = current().snapshot
      try {
        assertServable(material.trust, [attached.ownPeers ?? options.peers], 'a server that listens again')
      } catch (error) {
        unservable(error as ReloadError)
      }
    }
    function remove(): void {
      if (!registry.#attached.delete(server)) return
      registry.#left.add(new WeakRef(server))
      const context = currentContext(server)
      if (context) registry.#pinned.add(context)
    }
    function detach(): void {
      // A repeated call: the server may have been attached again since, here or to another engine.
      if (registry.#known.get(server) !== detach) return
      server.off('listening', noteAddress).off('listening', addAgain).off('close', remove)
      unfollow()
      if (!unfollowTrust()) unfollowPeers()
      unstaple()
      remove()
      registry.#known.delete(server)
      if (owners.get(server) === registry) owners.delete(server)
    }
    add()
    if (server.listening) noteAddress()
    server.on('listening', noteAddress).on('listening', addAgain).on('close', remove)
    this.#known.set(server, detach)
    return detach
  }

  /**
   * Points every server at a new generation, in one synchronous block. If the public API must be used and throws, the
   * servers that were already pointed go back to `before`: all or none.
   */
  pointAll(next: ServedState, before: ServedState): void {
    this.#endOverrides(before)
    const done: AttachedServer[] = []
    try {
      for (const attached of this.#attached.values()) {
        point(attached, next)
        done.push(attached)
      }
    } catch (error) {
      for (const attached of done) point(attached, before)
      throw error
    }
  }

  /** Sets the current ticket keys on every server; the certificates do not change. */
  setTicketKeys(state: ServedState): void {
    this.#endOverrides(state)
    const { snapshot, contexts } = state
    for (const attached of this.#attached.values()) {
      const { server, ownPeers } = attached
      const { session } = contexts.planFor(ownPeers ?? snapshot.options.peers)
      if (!session?.ticketKeys || hasOtherContext(attached)) continue
      // Bun has no `setTicketKeys`; there, the keys come with the options of a new context.
      if (!canPoint(server)) point(attached, state)
      else {
        server.setTicketKeys(session.ticketKeys)
        attached.ticketKeys = session.ticketKeys
      }
    }
  }

  /** Overrides by the application that are in effect. */
  overrides({ generation }: Pick<Snapshot, 'generation'>): Problem[] {
    return overridesOf([...this.#attached.values()], generation.number, 'found')
  }

  get hasEndedOverrides(): boolean {
    return this.#ended.length > 0
  }

  /** Returns the overrides that the engine has undone since the last call. */
  takeEndedOverrides(): Problem[] {
    return this.#ended.splice(0)
  }

  /** Whether a server has a context that the engine did not set. */
  isReplaced(server: tls.Server): boolean {
    const attached = this.#attached.get(server)
    return attached !== undefined && hasOtherContext(attached)
  }

  /** Restores the engine's ticket keys, because a retired context may be used again. */
  #endOverrides({ snapshot }: ServedState): void {
    const all = [...this.#attached.values()]
    this.#note(overridesOf(all, snapshot.generation.number, 'ended'))
    for (const one of all)
      if (one.ticketKeys && hasOtherTicketKeys(one)) one.server.setTicketKeys(Buffer.from(one.ticketKeys))
  }

  #note(problems: readonly Problem[]): void {
    this.#ended.push(...problems)
    this.#ended.splice(0, this.#ended.length - MAX_ENDED)
  }

  detachAll(): void {
    this.#closed = true
    for (const { detach } of [...this.#attached.values()]) detach()
    for (const left of this.#left) {
      const server = left.deref()
      if (server) this.#known.get(server)?.()
    }
    this.#left.clear()
  }
}

/** Maximum number of problems kept for the next result; the oldest are dropped. */
const MAX_ENDED = 16

function point(attached: AttachedServer, { snapshot, contexts }: ServedState): void {
  const { server, ownPeers } = attached
  const peers = ownPeers ?? snapshot.options.peers
  if (canPoint(server)) pointAt(server, contexts.contextFor(peers))
  else {
    server.setSecureContext(contexts.optionsFor(peers))
    const context = currentContext(server)
    if (context) bindTerms(context, contexts.termsFor(peers))
  }
  attached.context = currentContext(server)
  attached.ticketKeys = contexts.planFor(peers).session?.ticketKeys ?? null
  if (!ownPeers) setPeerPolicy(server, peers)
  followHandshakes(server, peers)
}

function assertServer(server: unknown, registry: AttachedServers): asserts server is tls.Server {
  if (!(server instanceof tls.Server)) {
    const got = (server as object | undefined)?.constructor?.name ?? String(server)
    const message = `attach: expected a server of node:tls, node:https or node:http2 (createSecureServer), got ${got}`
    throw new ReloadError('OPTIONS_INVALID', message)
  }
  const owner = owners.get(server)
  if (owner && owner !== registry && !owner.closed) {
    throw new ReloadError(
      'OPTIONS_INVALID',
      'attach: the server is attached to another engine; detach it there first',
    )
  }
}
