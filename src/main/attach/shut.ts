import type { TLSSocket } from 'node:tls'

/** Closes a connection before the application reads a byte of it or treats it as authorized. */
export function shut(socket: TLSSocket, why: 'TRUST_WITHDRAWN' | 'TRUST_DOMAIN'): void {
  Object.assign(socket, { authorized: false, authorizationError: why })
  socket.destroy()
}
