import type { Socket } from 'node:net'

import type { Clock } from '../../base/clock.js'

/** How long a peer may take to answer our end with its own, in milliseconds. */
const LINGER_MS = 2_000

/**
 * Sends what is still to be sent and then the end, and goes on reading until the peer ends too or has had its time: a
 * socket closed with bytes unread is reset, and the reset can erase the last answer from the peer's buffer (RFC 9112,
 * section 9.6).
 */
export function halfClose(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return
  lingerAfterEnd(socket, clock)
  socket.end()
  socket.resume()
}

/** Bounds the wait for the peer's end, whichever code sends ours. */
export function lingerAfterEnd(socket: Socket, clock: Clock): void {
  if (socket.destroyed || lingering.has(socket)) return
  lingering.add(socket)
  const linger = () => {
    const cancel = clock.after(LINGER_MS, () => socket.destroy())
    socket.once('close', cancel)
  }
  if (socket.writableFinished) linger()
  else socket.once('finish', linger)
}

const lingering = new WeakSet<Socket>()

/** Reads what still comes, and drops it. */
export function discardInput(socket: Socket): void {
  socket.removeAllListeners('data')
  // Not `resume` alone: this listener is what makes an HTTP parser let go of the socket.
  socket.on('data', () => {})
  socket.resume()
}
