import tls from 'node:tls'

import { ReloadError } from '../errors.js'
import type { ContextBook } from '../generation/context-book.js'
import type { Snapshot } from '../generation/generation.js'
import {
  canPoint,
  currentContext,
  peerPolicyOf,
  pointAt,
  setPeerPolicy,
} from '../generation/native-context.js'
import { type PeerPolicy, peerPolicyKey } from '../generation/trust-identity.js'
import type { ResolvedOptions } from '../resolve-options.js'
import type { ConnectionLedger } from './connection-ledger.js'
import { followPeers } from './peer-chains.js'

/** Undoes an `attach`: the server goes on with the certificate that it has. */
export type Detach = () => void

/** A generation and the contexts that serve it. */
export interface ServedState {
  readonly snapshot: Snapshot
  readonly contexts: ContextBook
}

interface AttachedServer {
  readonly server: tls.Server
  /** What it asks of its peers; `null` for what the engine's options say. */
  readonly ownPeers: PeerPolicy | null
  readonly detach: Detach
}

/** A server takes its certificate from one engine at most. */
const owners = new WeakMap<tls.Server, ServerBook>()

/** The servers that an engine swaps certificates in. */
export class ServerBook {
  readonly #attached = new Map<tls.Server, AttachedServer>()
  /** Closed servers too, which may listen again; not held when nobody else holds them. */
  readonly #known = new WeakMap<tls.Server, Detach>()
  readonly #left = new Set<WeakRef<tls.Server>>()
  readonly #pinned: WeakSet<tls.SecureContext>
  readonly #ledger: ConnectionLedger
  #closed = false

  /** `pinned` collects contexts that servers keep after they have left, and that must not be freed under them. */
  constructor(pinned: WeakSet<tls.SecureContext>, ledger: ConnectionLedger) {
    this.#pinned = pinned
    this.#ledger = ledger
  }

  get size(): number {
    return this.#attached.size
  }

  get listening(): readonly tls.Server[] {
    return [...this.#attached.keys()].filter((server) => server.listening)
  }

  /** Whether any of them staples OCSP responses, for which Node hands it the issuer of its leaf. */
  get answerOcspRequests(): boolean {
    return [...this.#attached.keys()].some((server) => server.listenerCount('OCSPRequest') > 0)
  }

  /** Whether its engine has ended: it changes no server any more, not even one that listens again. */
  get closed(): boolean {
    return this.#closed
  }

  /** The distinct policies that the servers have under these options: one context is needed for each. */
  policiesUnder(options: ResolvedOptions): PeerPolicy[] {
    const all = [...this.#attached.values()].map(({ ownPeers }) => ownPeers ?? options.peers)
    return [...new Map(all.map((peers) => [peerPolicyKey(peers), peers])).values()]
  }

  /**
   * Adds a server and points it at the generation of the moment, which `current` gives. A server that closes is let
   * go, and taken up again when it listens anew.
   *
   * @throws ReloadError `OPTIONS_INVALID`
   */
  attach(server: tls.Server, current: () => ServedState): Detach {
    assertServer(server, this)
    const known = this.#known.get(server)
    if (known) return known
    owners.set(server, this)
    const unfollow = this.#ledger.follow(server)
    const unfollowPeers = followPeers(server)
    const own = peerPolicyOf(server)
    const asEngine = peerPolicyKey(own) === peerPolicyKey(current().snapshot.options.peers)
    const attached = { server, ownPeers: asEngine ? null : own, detach }
    const book = this
    function take(): void {
      if (book.#closed || book.#attached.has(server)) return
      book.#attached.set(server, attached)
      point(attached, current())
    }
    function leave(): void {
      if (!book.#attached.delete(server)) return
      book.#left.add(new WeakRef(server))
      const context = currentContext(server)
      if (context) book.#pinned.add(context)
    }
    function detach(): void {
      // Detached before: whoever has it now, this engine again or another one, keeps it.
      if (book.#known.get(server) !== detach) return
      server.off('listening', take).off('close', leave)
      unfollow()
      unfollowPeers()
      leave()
      book.#known.delete(server)
      if (owners.get(server) === book) owners.delete(server)
    }
    take()
    server.on('listening', take).on('close', leave)
    this.#known.set(server, detach)
    return detach
  }

  /**
   * Points every server at a new generation, in one synchronous block. Where the public API has to be used and refuses,
   * the servers that were done go back to `before`: all or none.
   */
  pointAll(next: ServedState, before: ServedState): void {
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

  /** Gives every server the ticket keys of the moment, without touching its certificate. */
  setTicketKeys({ snapshot, contexts }: ServedState): void {
    for (const { server, ownPeers } of this.#attached.values()) {
      const { session } = contexts.planFor(ownPeers ?? snapshot.options.peers)
      if (session?.ticketKeys) server.setTicketKeys(session.ticketKeys)
    }
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

function point({ server, ownPeers }: AttachedServer, { snapshot, contexts }: ServedState): void {
  const peers = ownPeers ?? snapshot.options.peers
  if (canPoint(server)) pointAt(server, contexts.contextFor(peers))
  else server.setSecureContext(contexts.optionsFor(peers))
  if (!ownPeers) setPeerPolicy(server, peers)
}

function assertServer(server: unknown, book: ServerBook): asserts server is tls.Server {
  if (!(server instanceof tls.Server)) {
    const got = (server as object | undefined)?.constructor?.name ?? String(server)
    const message = `attach: expected a server of node:tls, node:https or node:http2 (createSecureServer), got ${got}`
    throw new ReloadError('OPTIONS_INVALID', message)
  }
  const owner = owners.get(server)
  if (owner && owner !== book && !owner.closed) {
    throw new ReloadError(
      'OPTIONS_INVALID',
      'attach: the server is attached to another engine; detach it there first',
    )
  }
}
