import { type EventEmitter, errorMonitor } from 'node:events'
import type { TLSSocket } from 'node:tls'

import { acceptingServer } from '../generation/native-context.js'
import type { PeerRefusal } from './peer-gate.js'

/** Closes a connection before the application reads a byte of it or treats it as authorized. */
export function shut(socket: TLSSocket, why: 'TRUST_WITHDRAWN' | PeerRefusal['code']): void {
  Object.assign(socket, { authorized: false, authorizationError: why })
  socket.destroy()
}

/**
 * Closes a connection whose verified peer may not connect. The server emits `tlsClientError`, as for a handshake that fails:
 * otherwise the refusal would be visible to the client only.
 */
export function shutRefused(socket: TLSSocket, { code, peer }: PeerRefusal): void {
  shut(socket, code)
  const error = Object.assign(new Error(`the client ${peer} is refused: ${REASONS[code]}`), { code })
  acceptingServer(socket)?.emit('tlsClientError', error, socket)
}

const REASONS: Readonly<Record<PeerRefusal['code'], string>> = {
  TRUST_DOMAIN: 'its certificate does not lead to an anchor of the trust domain in its SPIFFE ID',
  PEER_NOT_ALLOWED: 'no rule in `peers` names it',
}

/**
 * Ends a connection of TLS 1.2 when its client renegotiates, which could change the certificate. `disableRenegotiation()` alone
 * only emits an error: Node completes the renegotiation if the application ignores it.
 */
export function refuseRenegotiation(socket: TLSSocket): void {
  socket.disableRenegotiation()
  const emitter: EventEmitter = socket
  emitter.on(errorMonitor, ({ code }: NodeJS.ErrnoException) => {
    if (code === 'ERR_TLS_RENEGOTIATION_DISABLED') socket.destroy()
  })
}
