import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'

import type { WebSocketLike } from '../../src/main/drain/index.js'

/** The part of a WebSocket server (RFC 6455) that a closing handshake needs, with the interface of the package `ws`. */
export class RawWebSockets extends EventEmitter {
  constructor(server: Server) {
    super()
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      socket.write(acceptance(request))
      this.emit('connection', new RawWebSocket(socket), request)
    })
  }
}

/** The server side of one connection: sends close frames, and ends when the client has sent one. */
class RawWebSocket implements WebSocketLike {
  readonly #socket: Duplex

  constructor(socket: Duplex) {
    this.#socket = socket
    socket.on('error', () => {}) // A client that disconnects early fails its own test.
    socket.on('data', (chunk: Buffer) => {
      if (opcodeOf(chunk) === CLOSE) socket.end()
    })
  }

  close(code: number, reason: string): void {
    this.#socket.write(closeFrame(code, reason))
  }
}

/** The upgrade request of a WebSocket client. */
export const upgradeRequest = [
  'GET /socket HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16, 'k').toString('base64')}`,
  '\r\n',
].join('\r\n')

/** The client's answer to a close frame: the same, masked with zeros. */
export const closeAnswer = Buffer.from([0x88, 0x80, 0, 0, 0, 0])

/** The code and reason of a close frame. */
export function closingOf(frame: Buffer): { code: number; reason: string } {
  if (opcodeOf(frame) !== CLOSE) throw new Error(`expected a close frame, got ${frame.toString('hex')}`)
  return { code: frame.readUInt16BE(2), reason: frame.subarray(4).toString() }
}

const CLOSE = 0x8

function opcodeOf(frame: Buffer): number {
  return frame.readUInt8(0) & 0xf
}

function closeFrame(code: number, reason: string): Buffer {
  const frame = Buffer.alloc(4)
  frame.writeUInt8(0x80 | CLOSE, 0)
  frame.writeUInt8(2 + Buffer.byteLength(reason), 1)
  frame.writeUInt16BE(code, 2)
  return Buffer.concat([frame, Buffer.from(reason)])
}

function acceptance({ headers }: IncomingMessage): string {
  const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash('sha1').update(key).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}
