import type { ServerHttp2Session } from 'node:http2'
import net, { type Socket } from 'node:net'

import { protocolsOf } from './server-protocols.js'

/** The HTTP server that the application passed a socket to, without that server having accepted it. */
export interface HandedOn {
  readonly server: net.Server
  /** The HTTP/2 session that the server created on it; `undefined` for HTTP/1.1. */
  readonly session: ServerHttp2Session | undefined
}

/**
 * Calls back once, in the same turn of the event loop, when the application passes a socket to an HTTP server. Examples:
 * `createConnectionInjector` of `@grpc/grpc-js`, a `node:tls` server that dispatches by ALPN, a `node:net` server that
 * dispatches by the first bytes. The HTTP server adds a listener for the `close` of the socket, which is detected here.
 *
 * An HTTP/1.1 server may emit a request that was already read within the same call, so it is reported before its listener
 * is added: a missed request would be cut off. The HTTP/2 session is created only afterwards.
 *
 * @returns a function that stops the detection.
 */
export function whenHandedOn(socket: Socket, found: (handedOn: HandedOn) => void): () => void {
  let stopped = false
  const stop = () => {
    stopped = true
    socket.off('newListener', onListener)
  }
  const check = (isReady: (handedOn: HandedOn) => boolean) => {
    const handedOn = stopped ? null : handedOnTo(socket)
    if (!handedOn || !isReady(handedOn)) return
    stop()
    found(handedOn)
  }
  const onListener = (event: string | symbol) => {
    if (event !== 'close') return
    check(({ server }) => !protocolsOf(server).http2)
    if (!stopped) process.nextTick(check, () => true)
  }
  socket.on('newListener', onListener)
  return stop
}

/**
 * The HTTP server that a socket was passed to; `null` if none. Node documents no way to find it. Node keeps the server, and
 * the HTTP/2 session, in properties of the socket whose names differ between versions, so they are found by value. If a
 * Node version keeps them elsewhere, the connection stays `raw`. See docs/node-internals.md.
 */
export function handedOnTo(socket: Socket): HandedOn | null {
  const own = Reflect.ownKeys(socket).map(
    (key) => Object.getOwnPropertyDescriptor(socket, key)?.value as unknown,
  )
  const server = own.find(speaksHttp)
  return server ? { server, session: own.find(isSession) } : null
}

function speaksHttp(value: unknown): value is net.Server {
  return value instanceof net.Server && protocolsOf(value).http1
}

function isSession(value: unknown): value is ServerHttp2Session {
  return typeof (value as Partial<ServerHttp2Session> | null | undefined)?.goaway === 'function'
}
