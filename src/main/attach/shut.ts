import { type EventEmitter, errorMonitor } from 'node:events'
import type { TLSSocket } from 'node:tls'

import { acceptingServer } from '../generation/native-context.js'

/** Closes a connection before the application reads a byte of it or treats it as authorized. */
export function shut(socket: TLSSocket, why: 'TRUST_WITHDRAWN' | 'TRUST_DOMAIN'): void {
  Object.assign(socket, { authorized: false, authorizationError: why })
  socket.destroy()
}

/**
 * Closes a connection whose peer its own trust domain has not verified. The server emits `tlsClientError`, as for a handshake
 * that fails: otherwise the refusal would be visible to the client only.
 */
export function shutForeign(socket: TLSSocket): void {
  shut(socket, 'TRUST_DOMAIN')
  const message =
    'the certificate of the client does not lead to an anchor of the trust domain in its SPIFFE ID'
  const error = Object.assign(new Error(message), { code: 'TRUST_DOMAIN' })
  acceptingServer(socket)?.emit('tlsClientError', error, socket)
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
