import tls from 'node:tls'

import { ReloadError } from '../errors.js'
import type { ContextBook } from '../generation/context-book.js'
import { canPoint, currentContext, peerPolicyOf, pointAt } from '../generation/native-context.js'
import { type PeerPolicy, peerPolicyKey } from '../generation/trust-identity.js'

/** Undoes an `attach`: the server goes on with the certificate that it has. */
export type Detach = () => void

interface AttachedServer {
  readonly server: tls.Server
  readonly peers: PeerPolicy
  readonly detach: Detach
}

/** A server takes its certificate from one engine at most. */
const owners = new WeakMap<tls.Server, ServerBook>()

/** The servers that an engine swaps certificates in. */
export class ServerBook {
  readonly #listening = new Map<tls.Server, AttachedServer>()
  /** Closed servers too, which may listen again; not held when nobody else holds them. */
  readonly #known = new WeakMap<tls.Server, Detach>()
  readonly #pinned: WeakSet<tls.SecureContext>
  #closed = false

  /** `pinned` collects contexts that servers keep after they have left, and that must not be freed under them. */
  constructor(pinned: WeakSet<tls.SecureContext>) {
    this.#pinned = pinned
  }

  get size(): number {
    return this.#listening.size
  }

  /** Whether its engine has ended: it changes no server any more, not even one that listens again. */
  get closed(): boolean {
    return this.#closed
  }

  /** The distinct policies of all servers: one context is needed for each. */
  get policies(): PeerPolicy[] {
    const all = [...this.#listening.values()].map(({ peers }) => peers)
    return [...new Map(all.map((peers) => [peerPolicyKey(peers), peers])).values()]
  }

  /**
   * Adds a server and points it at the generation of the moment, which `current` gives. A server that closes is let
   * go, and taken up again when it listens anew.
   *
   * @throws ReloadError `OPTIONS_INVALID`
   */
  attach(server: tls.Server, current: () => ContextBook): Detach {
    assertServer(server, this)
    const known = this.#known.get(server)
    if (known) return known
    owners.set(server, this)
    const peers = peerPolicyOf(server)
    const take = () => {
      if (this.#closed || this.#listening.has(server)) return
      this.#listening.set(server, { server, peers, detach })
      point(server, peers, current())
    }
    const leave = () => {
      if (!this.#listening.delete(server)) return
      const context = currentContext(server)
      if (context) this.#pinned.add(context)
    }
    const detach = () => {
      // Detached before: whoever has it now, this engine again or another one, keeps it.
      if (this.#known.get(server) !== detach) return
      server.off('listening', take).off('close', leave)
      leave()
      this.#known.delete(server)
      if (owners.get(server) === this) owners.delete(server)
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
  pointAll(contexts: ContextBook, before: ContextBook): void {
    const done: AttachedServer[] = []
    try {
      for (const attached of this.#listening.values()) {
        point(attached.server, attached.peers, contexts)
        done.push(attached)
      }
    } catch (error) {
      for (const { server, peers } of done) point(server, peers, before)
      throw error
    }
  }

  detachAll(): void {
    this.#closed = true
    for (const { detach } of [...this.#listening.values()]) detach()
  }
}

function point(server: tls.Server, peers: PeerPolicy, contexts: ContextBook): void {
  if (canPoint(server)) pointAt(server, contexts.contextFor(peers))
  else server.setSecureContext(contexts.optionsFor(peers))
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
