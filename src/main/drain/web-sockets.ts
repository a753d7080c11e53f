import type { IncomingMessage } from 'node:http'

import type { DrainNotice } from './connection.js'
import type { DrainHooks } from './hooks.js'

/** What of `ws`'s WebSocketServer is needed. */
export interface WebSocketServerLike {
  on(event: 'connection', listener: (socket: WebSocketLike, request: IncomingMessage) => void): unknown
}

/** What of a `ws` WebSocket is needed. */
export interface WebSocketLike {
  close(code: number, reason: string): void
}

/** Going away. Clients that should come back at once are told 1012, service restart. */
const GOING_AWAY = 1001
/** The reason of a close frame, in bytes: what a control frame holds, less the code. */
const MAX_REASON_BYTES = 123

/**
 * An `onUpgrade` hook for servers of the package `ws`: sends every client a close frame, with the redirect URI (or the
 * reason of the drain) as its reason where it fits. Call it before the server accepts connections.
 *
 * @example
 * const webSockets = new WebSocketServer({ server })
 * const drain = createDrain({ servers: [server], onUpgrade: closeWebSockets(webSockets) })
 *
 * @param code the close code. @defaultValue `1001`; `1012` asks clients to reconnect
 */
export function closeWebSockets(
  server: WebSocketServerLike,
  code: 1001 | 1012 = GOING_AWAY,
): NonNullable<DrainHooks['onUpgrade']> {
  const byRequest = new WeakMap<IncomingMessage, WebSocketLike>()
  const awaited = new WeakMap<IncomingMessage, DrainNotice>()
  server.on('connection', (socket, request) => {
    byRequest.set(request, socket)
    const notice = awaited.get(request)
    if (notice) close(socket, code, notice)
  })
  return (_stream, notice, request) => {
    const socket = byRequest.get(request)
    if (socket) close(socket, code, notice)
    else awaited.set(request, notice)
  }
}

function close(socket: WebSocketLike, code: number, { uri, reason }: DrainNotice): void {
  const fitting = [uri, reason].find(
    (text) => text !== undefined && Buffer.byteLength(text) <= MAX_REASON_BYTES,
  )
  socket.close(code, fitting ?? '')
}
