import { once } from 'node:events'
import type { Socket } from 'node:net'
import tls from 'node:tls'

import type { Owner } from '../servers/echo-server.js'

/** A frame on the wire (RFC 9113, section 4.1). */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

const DATA = 0x0
export const HEADERS = 0x1
export const RST_STREAM = 0x3
export const SETTINGS = 0x4
export const PING = 0x6
export const GOAWAY = 0x7
export const WINDOW_UPDATE = 0x8
export const ALTSVC = 0xa

export const ACK = 0x1
const END_STREAM = 0x1
const END_HEADERS = 0x4

export const NO_ERROR = 0x0
export const CANCEL = 0x8
/** The last stream identifier of a GOAWAY that refuses nothing. */
export const NO_LAST_STREAM = 0x7fffffff

/** An HTTP/2 client that records every frame. */
export interface RawHttp2 {
  readonly socket: tls.TLSSocket
  /** All frames so far. */
  readonly frames: readonly Frame[]
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<void>
  /** Opens a stream with a complete GET request. */
  get(stream: number, path?: string): void
  write(frame: Frame): void
  /** The first frame, past or future, for which `wanted` returns true. */
  frame(wanted: (frame: Frame) => boolean): Promise<Frame>
  /** The body of a stream, once it has ended. */
  body(stream: number): Promise<string>
}

export interface RawHttp2Options {
  /** Answers pings, as every client must. @defaultValue `true` */
  readonly answerPings?: boolean
}

/** Connects; the connection is destroyed at the end of the test. */
export async function rawHttp2(
  t: Owner,
  port: number,
  { answerPings = true }: RawHttp2Options = {},
): Promise<RawHttp2> {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  t.after(() => socket.destroy())
  const ended = new Promise<void>((resolve) => socket.once('end', () => resolve()))
  await once(socket, 'secureConnect')
  const frames: Frame[] = []
  const waiters = new Set<() => void>()
  const write = (frame: Frame) => {
    if (socket.writable) socket.write(encode(frame))
  }
  readFrames(socket, (frame) => {
    frames.push(frame)
    if (frame.type === SETTINGS && frame.flags !== ACK) write({ ...frame, flags: ACK, payload: empty })
    if (frame.type === PING && frame.flags !== ACK && answerPings) write({ ...frame, flags: ACK })
    for (const waiter of waiters) waiter()
  })
  const frame = (wanted: (frame: Frame) => boolean) =>
    new Promise<Frame>((resolve, reject) => {
      const look = () => {
        const found = frames.find(wanted)
        if (!found) return
        waiters.delete(look)
        resolve(found)
      }
      waiters.add(look)
      socket.once('close', () => reject(new Error(`closed after frames ${frames.map(({ type }) => type)}`)))
      look()
    })
  socket.setMaxListeners(0)
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  write({ type: SETTINGS, flags: 0, stream: 0, payload: empty })
  return {
    socket,
    frames,
    ended,
    write,
    frame,
    get(stream, path = '/') {
      const payload = Buffer.concat([Buffer.from([0x82, 0x87]), literal(1, 'localhost'), literal(4, path)])
      write({ type: HEADERS, flags: END_STREAM | END_HEADERS, stream, payload })
    },
    async body(stream) {
      await frame((one) => one.stream === stream && isLast(one))
      const data = frames.filter((one) => one.stream === stream && one.type === DATA)
      return Buffer.concat(data.map(({ payload }) => payload)).toString()
    },
  }
}

/** The last stream that a GOAWAY promises to serve, its error code, and its debug data. */
export function goawayOf({ payload }: Frame): { last: number; code: number; debug: string } {
  return {
    last: payload.readUInt32BE(0),
    code: payload.readUInt32BE(4),
    debug: payload.subarray(8).toString(),
  }
}

export function ofType(type: number): (frame: Frame) => boolean {
  return (frame) => frame.type === type
}

/** Whether a frame ends a response. */
export function isLast({ type, flags }: Frame): boolean {
  return (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0
}

const empty = Buffer.alloc(0)

/** A header field whose name is in the static table, not indexed (RFC 7541, section 6.2.2). */
function literal(name: number, value: string): Buffer {
  return Buffer.concat([Buffer.from([name, value.length]), Buffer.from(value)])
}

function encode({ type, flags, stream, payload }: Frame): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

function readFrames(socket: Socket, take: (frame: Frame) => void): void {
  let buffer = empty
  socket.on('error', () => {}) // The test sees a closed connection.
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    while (buffer.length >= 9 && buffer.length >= 9 + buffer.readUIntBE(0, 3)) {
      const end = 9 + buffer.readUIntBE(0, 3)
      take({
        type: buffer.readUInt8(3),
        flags: buffer.readUInt8(4),
        stream: buffer.readUInt32BE(5),
        payload: buffer.subarray(9, end),
      })
      buffer = buffer.subarray(end)
    }
  })
}
