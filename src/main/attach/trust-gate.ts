import type { Duplex } from 'node:stream'
import type tls from 'node:tls'
import type { TLSSocket } from 'node:tls'

import {
  acceptedTerms,
  isReplaced,
  isWithdrawn,
  replaceContext,
  termsOf,
} from '../generation/accepted-terms.js'
import {
  authorizesResumedWithoutCertificate,
  currentContext,
  rawSocketOf,
} from '../generation/native-context.js'
import type { TrustTerms } from '../generation/trust-change.js'
import type { PeerPolicy } from '../generation/trust-identity.js'
import { leafOf } from './presented-chain.js'
import { correctAuthorized, letsStrangersIn } from './resumed-authorization.js'
import type { ServedState } from './served-state.js'
import { trustWithdrawn } from './sni.js'

interface Pending {
  readonly terms: TrustTerms
  /** What the server asks of its peers now. */
  readonly policy: () => PeerPolicy
}

/**
 * Keeps trust that has been withdrawn from admitting clients. A connection is judged by the trust that it was accepted
 * under, however late its handshake ends, so when trust shrinks:
 *
 * - connections whose handshake has not ended are closed, before the reload is answered;
 * - a handshake that ends all the same, because its connection was not seen, ends in a closed connection. So does one that
 *   began before the server was attached, by a trust of the application's own;
 * - a TLS 1.2 connection that was admitted before may not renegotiate: that would be a new handshake under the old trust.
 *
 * A TLS 1.2 client that was authorized by one certificate and renegotiates without it, or with another one, is disconnected.
 * The application has decided by the first certificate, and later changes of trust are judged by it too.
 */
export class TrustGate {
  readonly #current: () => ServedState
  /** Accepted connections whose handshake has not ended, by the stream under them. */
  readonly #pending = new Map<Duplex, Pending>()

  constructor(current: () => ServedState) {
    this.#current = current
  }

  /** Connections whose handshake has not ended. */
  get size(): number {
    return this.#pending.size
  }

  /**
   * Watches the connections that a server accepts from now on; returns a function that stops it. `peers` gives what the
   * server asks of its peers in a generation.
   */
  follow(server: tls.Server, peers: (state: ServedState) => PeerPolicy): () => void {
    const policy = () => peers(this.#current())
    const begin = (raw: Duplex) => {
      const terms = this.#termsOn(server, policy())
      if (terms) this.#begin(raw, { terms, policy })
    }
    const admit = (socket: TLSSocket) => this.#admit(socket, policy)
    replaceContext(server)
    server.off('secureConnection', correctAuthorized)
    server.on('connection', begin).prependListener('secureConnection', admit)
    return () => {
      server.off('connection', begin).off('secureConnection', admit)
      for (const [raw, pending] of this.#pending) if (pending.policy === policy) this.#pending.delete(raw)
      // The server keeps its context, and with it the sessions that this Node gets wrong.
      if (letsStrangersIn(policy()) && authorizesResumedWithoutCertificate())
        server.prependListener('secureConnection', correctAuthorized)
    }
  }

  /** Closes the connections whose handshake would end under a trust that has shrunk. Synchronous: a part of COMMIT. */
  closeWithdrawn(): void {
    const { contexts } = this.#current()
    for (const [raw, { terms, policy }] of this.#pending) {
      if (!isWithdrawn(terms, contexts.termsFor(policy()))) continue
      this.#pending.delete(raw)
      // The TLS socket listens for errors of the stream under it, and reports them as `tlsClientError`.
      raw.destroy(raw.listenerCount('error') > 0 ? trustWithdrawn() : undefined)
    }
  }

  /** The terms that a connection of this moment is accepted under; `undefined` for those of an application's own context. */
  #termsOn(server: tls.Server, peers: PeerPolicy): TrustTerms | undefined {
    const context = currentContext(server)
    if (context) return termsOf(context)
    // Where this Node keeps the context somewhere else, it is still the one that the last commit gave the server.
    return peers.requestCert ? this.#current().contexts.termsFor(peers) : undefined
  }

  #begin(raw: Duplex, pending: Pending): void {
    if (raw.closed) return
    this.#pending.set(raw, pending)
    raw.once('close', () => this.#pending.delete(raw))
  }

  #admit(socket: TLSSocket, policy: () => PeerPolicy): void {
    const raw = rawSocketOf(socket)
    const terms = acceptedTerms(socket) ?? (raw && this.#pending.get(raw)?.terms)
    if (raw) this.#pending.delete(raw)
    const peers = policy()
    if (!peers.requestCert) return
    if (this.#isWithdrawn(socket, terms, peers)) shut(socket)
    else if (letsStrangersIn(peers)) correctAuthorized(socket)
    if (!socket.destroyed && socket.getProtocol() === 'TLSv1.2')
      this.#watchRenegotiation(socket, terms, policy)
  }

  /**
   * Node emits `secure` after each renegotiation, which it does not document. It leaves `authorized` as it was, whichever
   * certificate comes then. Where Node itself does not listen for `secure`, there is no renegotiation that could be missed.
   */
  #watchRenegotiation(socket: TLSSocket, terms: TrustTerms | undefined, policy: () => PeerPolicy): void {
    if (socket.listenerCount('secure') === 0) {
      socket.disableRenegotiation()
      return
    }
    let leaf = socket.authorized ? leafOf(socket) : null
    socket.on('secure', () => {
      const next = leafOf(socket)
      const isOther = leaf !== null && (next === null || Buffer.compare(leaf, next) !== 0)
      if (isOther || this.#isWithdrawn(socket, terms, policy())) shut(socket)
      leaf = next
    })
  }

  #isWithdrawn(socket: TLSSocket, accepted: TrustTerms | undefined, peers: PeerPolicy): boolean {
    if (!accepted) return isReplaced(socket)
    return isWithdrawn(accepted, this.#current().contexts.termsFor(peers))
  }
}

/** Closes a connection before its application has read a byte of it, or has taken it for authorized. */
function shut(socket: TLSSocket): void {
  Object.assign(socket, { authorized: false, authorizationError: 'TRUST_WITHDRAWN' })
  socket.destroy()
}
