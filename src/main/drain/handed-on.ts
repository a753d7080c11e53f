import type { ServerHttp2Session } from 'node:http2'
import net, { type Socket } from 'node:net'

import { protocolsOf } from './server-protocols.js'

/** A socket that the application gave to a server of node:http or node:http2, which did not accept it itself. */
export interface HandedOn {
  readonly server: net.Server
  /** The HTTP/2 session that the server made of it; `undefined` for HTTP/1.1. */
  readonly session: ServerHttp2Session | undefined
}

/**
 * Calls back once, in the same turn of the event loop, when the application hands a socket on to an HTTP server:
 * `createConnectionInjector` of `@grpc/grpc-js` does, and so does a `node:tls` server that chooses by ALPN, or a `node:net`
 * server that chooses by the first bytes. Each of these servers listens for the `close` of the socket.
 *
 * A server of HTTP/1.1 gets a request that has been read already within that very call, so it is reported before it
 * listens: a request that is missed would be cut off. The session of HTTP/2 is made only after that.
 *
 * @returns a function that stops it.
 */
export function whenHandedOn(socket: Socket, found: (handedOn: HandedOn) => void): () => void {
  let stopped = false
  const stop = () => {
    stopped = true
    socket.off('newListener', onListener)
  }
  const look = (isReady: (handedOn: HandedOn) => boolean) => {
    const handedOn = stopped ? null : handedOnTo(socket)
    if (!handedOn || !isReady(handedOn)) return
    stop()
    found(handedOn)
  }
  const onListener = (event: string | symbol) => {
    if (event !== 'close') return
    look(({ server }) => !protocolsOf(server).http2)
    if (!stopped) process.nextTick(look, () => true)
  }
  socket.on('newListener', onListener)
  return stop
}

/**
 * The server that a socket was handed on to; `null` without. Node documents no way from a socket to it. It keeps the
 * server, and for HTTP/2 the session too, in properties of the socket, whose names differ; so the values decide. Where a
 * Node keeps them elsewhere, the connection stays what it was. See docs/node-internals.md.
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
