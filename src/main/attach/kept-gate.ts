import type tls from 'node:tls'

import type { TrustTerms } from '../generation/trust-change.js'
import { peerRefusal } from './peer-gate.js'
import { refuseRenegotiation, shutRefused } from './shut.js'

/*
 * A server that is detached, or whose engine is closed, keeps its context. That context knows neither trust domains nor rules
 * about peers, so their check must stay with the server too.
 */

const gates = new WeakMap<tls.Server, (socket: tls.TLSSocket) => void>()

/** Checks the peers of a server by these terms, until {@link endKeptGate}. */
export function keepGate(server: tls.Server, terms: TrustTerms): void {
  const gate = (socket: tls.TLSSocket) => {
    if (socket.destroyed) return
    const refusal = peerRefusal(socket, terms)
    if (refusal) shutRefused(socket, refusal)
    // A later handshake of TLS 1.2 could show another certificate, and this check would not see it.
    else if (socket.getProtocol() === 'TLSv1.2') refuseRenegotiation(socket)
  }
  gates.set(server, gate)
  server.prependListener('secureConnection', gate)
}

/** To be called when an engine checks the peers of the server again. */
export function endKeptGate(server: tls.Server): void {
  const gate = gates.get(server)
  if (gate) server.off('secureConnection', gate)
  gates.delete(server)
}
