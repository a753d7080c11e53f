import type { IncomingMessage } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'

import type { DrainNotice } from './connections/connection.js'
import { CANNOT_CLOSE, type UpgradeHook } from './connections/hooks.js'
import { DrainError } from './errors.js'

/** The part of a WebSocket server that {@link closeWebSockets} uses; `ws`, Engine.IO and Socket.IO have it. */
export interface WebSocketServerLike {
  on(event: 'connection', listener: (socket: WebSocketLike, request: IncomingMessage) => void): unknown
}

/** The part of a `ws` WebSocket that {@link closeWebSockets} uses. */
export interface WebSocketLike {
  close(code: number, reason: string): void
}

/** Close code "going away" (RFC 6455, section 7.4.1); 1012, "service restart", asks clients to reconnect at once. */
const GOING_AWAY = 1001
/** Longest reason of a close frame in bytes: the payload of a control frame, 125, less the close code. */
const MAX_REASON_BYTES = 123

/**
 * An `onUpgrade` hook that sends every WebSocket a close frame (RFC 6455), with the redirect URI, or else the reason of the
 * drain, as its reason if it fits into 123 bytes. It finds all WebSockets of the package `ws`, including those that a
 * framework made: Socket.IO, `@fastify/websocket`. A connection without a WebSocket is logged.
 *
 * @example
 * const drain = createDrain({ servers: [server], onUpgrade: closeWebSockets() })
 *
 * @param servers servers of another implementation that emit `connection` with a WebSocket and its request, as
 * `WebSocketServer` of `ws` does; pass them before they accept connections. @defaultValue none
 * @param code the close code; `1012` asks clients to reconnect. @defaultValue `1001`
 * @throws DrainError `OPTIONS_INVALID`
 */
export function closeWebSockets(
  servers: WebSocketServerLike | readonly WebSocketServerLike[] = [],
  code: 1001 | 1012 = GOING_AWAY,
): UpgradeHook {
  const byRequest = new WeakMap<IncomingMessage, WebSocketLike>()
  const awaited = new WeakMap<IncomingMessage, DrainNotice>()
  assertCode(code)
  for (const server of listOf(servers)) {
    server.on('connection', (socket, request) => {
      // Socket.IO and Engine.IO emit their own sockets without a request; `webSocketOf` finds their WebSockets.
      if (!isObject(request) || !canClose(socket)) return
      byRequest.set(request, socket)
      const notice = awaited.get(request)
      if (notice) close(socket, code, notice)
    })
  }
  return (stream, notice, request) => {
    const socket = byRequest.get(request) ?? webSocketOf(stream, request)
    if (socket) return close(socket, code, notice)
    // The application may not have completed the upgrade yet.
    awaited.set(request, notice)
    whenWebSocket(stream, request, (late) => close(late, code, notice))
    return CANNOT_CLOSE
  }
}

/**
 * The WebSocket on a connection; `undefined` if none. `ws` keeps it in a property of the stream whose name is a private
 * symbol, so it is found by value; Engine.IO keeps it in a property of the request, for every implementation.
 */
function webSocketOf(stream: Duplex, request: IncomingMessage): WebSocketLike | undefined {
  const symbols = Object.getOwnPropertySymbols(stream).map(
    (symbol) => Object.getOwnPropertyDescriptor(stream, symbol)?.value as unknown,
  )
  return [...symbols, (request as { websocket?: unknown }).websocket].find(isWebSocket)
}

/** Calls back once when a WebSocket is created on the connection: it then adds a `close` listener to the stream. */
function whenWebSocket(
  stream: Duplex,
  request: IncomingMessage,
  found: (socket: WebSocketLike) => void,
): void {
  let done = false
  const check = () => {
    const socket = done ? undefined : webSocketOf(stream, request)
    if (!socket) return
    done = true
    stream.off('newListener', onListener)
    found(socket)
  }
  const onListener = (event: string | symbol) => {
    if (event === 'close') process.nextTick(check)
  }
  stream.on('newListener', onListener)
}

function isWebSocket(value: unknown): value is WebSocketLike {
  return isObject(value) && 'readyState' in value && canClose(value)
}

function canClose(value: unknown): value is WebSocketLike {
  return isObject(value) && typeof (value as Partial<WebSocketLike>).close === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function listOf(servers: unknown): readonly WebSocketServerLike[] {
  const list: readonly unknown[] = Array.isArray(servers) ? servers : [servers]
  for (const server of list) assertWebSocketServer(server)
  return list as readonly WebSocketServerLike[]
}

/** A server of node:http emits `connection` too, but with sockets that are not WebSockets. */
function assertWebSocketServer(server: unknown): void {
  if (isObject(server) && typeof (server as Partial<WebSocketServerLike>).on === 'function') {
    if (!(server instanceof net.Server)) return
    throw invalid(
      'a server of node:net, node:tls, node:http or node:http2',
      'pass it in the option `servers` of createDrain',
    )
  }
  throw invalid(kindOf(server), 'WebSockets of the package `ws` are found without an argument')
}

function assertCode(code: unknown): void {
  if (code === 1001 || code === 1012) return
  throw new DrainError(
    'OPTIONS_INVALID',
    `closeWebSockets: expected the close code 1001 or 1012, got ${String(code)}`,
  )
}

function invalid(got: string, hint: string): DrainError {
  const expected =
    'closeWebSockets: expected a WebSocket server (WebSocketServer of `ws`, or one like it), or a list of them'
  return new DrainError('OPTIONS_INVALID', `${expected}, got ${got}; ${hint}`)
}

function kindOf(value: unknown): string {
  if (!isObject(value)) return String(value)
  return `an object of class ${value.constructor?.name ?? 'null'}`
}

function close(socket: WebSocketLike, code: number, { uri, reason }: DrainNotice): void {
  const fitting = [uri, reason].find(
    (text) => text !== undefined && Buffer.byteLength(text) <= MAX_REASON_BYTES,
  )
  socket.close(code, fitting ?? '')
}
