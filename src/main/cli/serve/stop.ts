import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

import type { Logger } from '../../observe/logger.js'

/** How long connections may take to finish after the first signal, in milliseconds. */
const GRACE_MS = 5_000

/**
 * Resolves when the server has ended: at the first SIGINT or SIGTERM it stops accepting and lets what runs finish, at
 * the second, or when the grace is over, it cuts what is left.
 */
export function stopped(server: Http2SecureServer, logger: Logger): Promise<void> {
  const sessions = new Set<ServerHttp2Session>()
  const sockets = new Set<Socket>()
  server.on('session', (session) => {
    remember(sessions, session)
    // Its handshake was under way when the server stopped to listen.
    if (!server.listening) session.close()
  })
  server.on('connection', (socket: Socket) => remember(sockets, socket))
  return new Promise((resolve) => {
    const cut = () => {
      for (const session of sessions) session.destroy()
      for (const socket of sockets) socket.destroy()
    }
    const stop = (signal: NodeJS.Signals) => {
      if (!server.listening) {
        logger.warn({ signal, connections: sockets.size }, 'stopping now')
        cut()
        return
      }
      logger.info({ signal, connections: sockets.size }, 'stopping')
      const timer = setTimeout(cut, GRACE_MS)
      server.close(() => {
        clearTimeout(timer)
        process.off('SIGINT', stop).off('SIGTERM', stop)
        resolve()
      })
      // Idle HTTP/1.1 connections; the types do not know it.
      ;(server as unknown as { closeIdleConnections(): void }).closeIdleConnections()
      for (const session of sessions) session.close()
    }
    process.on('SIGINT', stop).on('SIGTERM', stop)
  })
}

function remember<T extends { once(event: 'close', listener: () => void): unknown }>(
  all: Set<T>,
  one: T,
): void {
  all.add(one)
  one.once('close', () => all.delete(one))
}
