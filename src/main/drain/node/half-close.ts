import type { Socket } from 'node:net'

import type { Clock } from '../../base/clock.js'

/** Milliseconds that a peer may take to answer the end of the stream with its own. */
const LINGER_MS = 2_000

/**
 * Sends the pending data and the end of the stream, then keeps reading until the peer ends too or `LINGER_MS` have passed: a
 * socket closed with unread bytes is reset, and the reset can erase the last response from the peer's buffer (RFC 9112,
 * section 9.6).
 */
export function halfClose(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return
  lingerAfterEnd(socket, clock)
  socket.end()
  socket.resume()
}

/** Limits the wait for the peer's end once any code has ended this side. */
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

/** Reads and discards further input. */
export function discardInput(socket: Socket): void {
  socket.removeAllListeners('data')
  // `resume` alone is not enough: only this listener makes the HTTP parser release the socket.
  socket.on('data', () => {})
  socket.resume()
}
