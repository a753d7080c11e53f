import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

import { FrameBoundaries } from './frame-boundaries.js'

const GOAWAY_TYPE = 0x7
const NO_ERROR = 0
/** The largest stream ID: no stream that the client may still open is above it (RFC 9113, section 6.8). */
const NO_LAST_STREAM = 0x7fffffff

/**
 * Stream between a socket and its HTTP/2 session that can insert a GOAWAY between two frames of the session. It is needed to
 * announce the end without refusing streams that are on their way: after a GOAWAY of its own, nghttp2 refuses them (except
 * after `nghttp2_submit_shutdown_notice`, which Node does not call), and writing a frame to the socket under a session
 * aborts the process.
 */
export class GoawayTap extends Duplex {
  readonly #socket: Socket
  readonly #boundaries = new FrameBoundaries()
  #waiting: Buffer | null = null
  #sent = false

  constructor(socket: Socket) {
    super({ allowHalfOpen: true, emitClose: true })
    this.#socket = socket
    // A session does this on a socket of its own; without it, small frames wait for acknowledgements.
    socket.setNoDelay(true)
    socket
      .on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) socket.pause()
      })
      .once('end', () => this.push(null))
      .once('error', (error) => this.destroy(error))
      .once('close', () => this.destroy())
  }

  /** Sends a GOAWAY with the largest stream ID at the next frame boundary. Only the first call has an effect. */
  sendFirstGoaway(debugData = ''): void {
    if (this.#sent || this.destroyed || this.writableEnded) return
    this.#sent = true
    const frame = goawayFrame(Buffer.from(debugData))
    if (this.#boundaries.here) this.#socket.write(frame)
    else this.#waiting = frame
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#pass(chunk)
    this.#whenDrained(done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork()
    for (const { chunk } of chunks) this.#pass(chunk)
    this.#socket.uncork()
    this.#whenDrained(done)
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) done()
    else this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (error) this.#socket.destroy()
    else this.#socket.destroySoon()
    done(error)
  }

  #pass(chunk: Buffer): void {
    const boundary = this.#boundaries.take(chunk)
    if (!this.#waiting || boundary === -1) {
      this.#socket.write(chunk)
      return
    }
    if (boundary > 0) this.#socket.write(chunk.subarray(0, boundary))
    this.#socket.write(this.#waiting)
    this.#waiting = null
    if (boundary < chunk.length) this.#socket.write(chunk.subarray(boundary))
  }

  #whenDrained(done: (error?: Error | null) => void): void {
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => done())
    else done()
  }
}

function goawayFrame(debugData: Buffer): Buffer {
  const frame = Buffer.alloc(17)
  frame.writeUIntBE(8 + debugData.length, 0, 3)
  frame.writeUInt8(GOAWAY_TYPE, 3)
  frame.writeUInt32BE(NO_LAST_STREAM, 9)
  frame.writeUInt32BE(NO_ERROR, 13)
  return Buffer.concat([frame, debugData])
}
