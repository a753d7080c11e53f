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
import { endKeptGate, keepGate } from './kept-gate.js'
import { judgesPeers, peerRefusal } from './peer-gate.js'
import type { PeerRefusals } from './peer-refusals.js'
import { leafOf } from './presented-chain.js'
import { acceptsUnverified, correctAuthorized } from './resumed-authorization.js'
import type { ServedState } from './served-state.js'
import { refuseRenegotiation, shut, shutRefused } from './shut.js'
import { trustWithdrawn } from './sni.js'

interface Pending {
  readonly terms: TrustTerms
  /** The current peer policy of the server. */
  readonly policy: () => PeerPolicy
}

/**
 * Prevents withdrawn trust from admitting clients. OpenSSL verifies a client by the trust under which its connection was
 * accepted, however late the handshake ends, so when trust is narrowed:
 *
 * - connections whose handshake has not ended are closed, before the reload resolves;
 * - a handshake that ends nevertheless, because its connection was not seen, is closed at its end. So is one that began
 *   before the server was attached, under the application's own trust;
 * - a TLS 1.2 connection that was admitted earlier may not renegotiate, which would be a new handshake under the old trust.
 *
 * A connection whose peer is not verified by its own trust domain, or not named by the rules about peers, is closed at the end
 * of its handshake, also when it resumes a session. This also holds after the server is detached.
 *
 * A TLS 1.2 client that was authorized by one certificate and renegotiates without it, or with another one, is disconnected:
 * the application has decided by the first certificate, and later changes of trust are judged by it too.
 */
export class HandshakeTrust {
  readonly #current: () => ServedState
  readonly #refusals: PeerRefusals
  /** Accepted connections whose handshake has not ended, by their raw stream. */
  readonly #pending = new Map<Duplex, Pending>()

  constructor(current: () => ServedState, refusals: PeerRefusals) {
    this.#current = current
    this.#refusals = refusals
  }

  /** Connections whose handshake has not ended. */
  get size(): number {
    return this.#pending.size
  }

  /**
   * Watches the connections that a server accepts from now on. `peers` returns the peer policy of the server in a generation.
   *
   * @returns a function that stops it. The server keeps its context; with trust domains or rules, its peers are checked by these
   * from then on, and the function returns `true`: their chains must still be recorded.
   */
  follow(server: tls.Server, peers: (state: ServedState) => PeerPolicy): () => boolean {
    const policy = () => peers(this.#current())
    const begin = (raw: Duplex) => {
      const terms = this.#termsOn(server, policy())
      if (terms) this.#begin(raw, { terms, policy })
    }
    const admit = (socket: TLSSocket) => this.#admit(socket, policy)
    replaceContext(server)
    server.off('secureConnection', correctAuthorized)
    endKeptGate(server)
    server.on('connection', begin).prependListener('secureConnection', admit)
    return () => {
      server.off('connection', begin).off('secureConnection', admit)
      for (const [raw, pending] of this.#pending) if (pending.policy === policy) this.#pending.delete(raw)
      const terms = this.#current().contexts.termsFor(policy())
      const hasGate = judgesPeers(terms.trust)
      if (hasGate) keepGate(server, terms)
      // The server keeps the sessions that this Node version authorizes wrongly. Prepended last, to run before the gate.
      if (acceptsUnverified(policy()) && authorizesResumedWithoutCertificate())
        server.prependListener('secureConnection', correctAuthorized)
      return hasGate
    }
  }

  /** Closes the connections whose handshake would end under withdrawn trust. Synchronous, as part of COMMIT. */
  closeWithdrawn(): void {
    const { contexts } = this.#current()
    for (const [raw, { terms, policy }] of this.#pending) {
      if (!isWithdrawn(terms, contexts.termsFor(policy()))) continue
      this.#pending.delete(raw)
      // The TLS socket listens for errors of its raw stream, and reports them as `tlsClientError`.
      raw.destroy(raw.listenerCount('error') > 0 ? trustWithdrawn() : undefined)
    }
  }

  /** The terms under which the server accepts connections now; `undefined` for a context of the application. */
  #termsOn(server: tls.Server, peers: PeerPolicy): TrustTerms | undefined {
    const context = currentContext(server)
    if (context) return termsOf(context)
    // This Node version keeps the context elsewhere; it is still the one of the last commit.
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
    if (!peers.requestCert) {
      // One that was authorized under an earlier policy.
      this.#refuseUnlessAllowed(socket, peers)
      return
    }
    if (this.#isWithdrawn(socket, terms, peers)) shut(socket, 'TRUST_WITHDRAWN')
    else if (acceptsUnverified(peers)) correctAuthorized(socket)
    this.#refuseUnlessAllowed(socket, peers)
    if (!socket.destroyed && socket.getProtocol() === 'TLSv1.2')
      this.#watchRenegotiation(socket, terms, policy)
  }

  #refuseUnlessAllowed(socket: TLSSocket, peers: PeerPolicy): void {
    const refusal = socket.destroyed ? null : peerRefusal(socket, this.#current().contexts.termsFor(peers))
    if (!refusal) return
    this.#refusals.note(refusal, socket)
    shutRefused(socket, refusal)
  }

  /**
   * Node emits the undocumented event `secure` after each renegotiation. It then sets `authorized` for a client that shows a valid
   * certificate, and never resets it, even if the certificate differs. If Node itself does not listen for `secure`, renegotiations
   * could be missed and are disabled.
   */
  #watchRenegotiation(socket: TLSSocket, terms: TrustTerms | undefined, policy: () => PeerPolicy): void {
    if (socket.listenerCount('secure') === 0) {
      refuseRenegotiation(socket)
      return
    }
    let leaf = socket.authorized ? leafOf(socket) : null
    socket.on('secure', () => {
      const next = leafOf(socket)
      const isOther = leaf !== null && (next === null || Buffer.compare(leaf, next) !== 0)
      if (isOther || this.#isWithdrawn(socket, terms, policy())) shut(socket, 'TRUST_WITHDRAWN')
      // A client that was not authorized may be now.
      this.#refuseUnlessAllowed(socket, policy())
      leaf = next
    })
  }

  #isWithdrawn(socket: TLSSocket, accepted: TrustTerms | undefined, peers: PeerPolicy): boolean {
    if (!accepted) return isReplaced(socket)
    return isWithdrawn(accepted, this.#current().contexts.termsFor(peers))
  }
}
