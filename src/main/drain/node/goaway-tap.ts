import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

import { FrameBoundaries } from './frame-boundaries.js'

const GOAWAY_TYPE = 0x7
const NO_ERROR = 0
/** Names no stream: every one that the client may still open is below it. */
const NO_LAST_STREAM = 0x7fffffff

/**
 * Stands between a socket and its HTTP/2 session, and can put a GOAWAY between two frames of the session's. It takes
 * that to announce the end without refusing the streams that are on their way: nghttp2 refuses them after any GOAWAY of
 * its own but for one that Node has no call for, and a frame written to the socket under a session aborts the process.
 */
export class GoawayTap extends Duplex {
  readonly #socket: Socket
  readonly #boundaries = new FrameBoundaries()
  #waiting: Buffer | null = null
  #sent = false

  constructor(socket: Socket) {
    super({ allowHalfOpen: true, emitClose: true })
    this.#socket = socket
    // The session does this to a socket of its own; without it small frames wait for acknowledgements.
    socket.setNoDelay(true)
    socket
      .on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) socket.pause()
      })
      .once('end', () => this.push(null))
      .once('error', (error) => this.destroy(error))
      .once('close', () => this.destroy())
  }

  /** Sends a GOAWAY that names no last stream, at the next frame boundary; once. */
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
