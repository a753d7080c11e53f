import type { ServerHttp2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import { GoawayTap } from './goaway-tap.js'

/** The {@link GoawayTap}s under the sessions of one server. */
export interface ServerTaps {
  /** The tap under the session of this socket. */
  of(socket: Socket): GoawayTap | undefined
  /** Stops tapping new sessions; existing ones keep their tap. */
  remove(): void
}

/** Memory limit of a tapped session in megabytes. Beyond it, Node ends a session on a stream, but only refuses streams of a
 * session on a socket; Node's default of 10 holds 40 responses of 256 KiB. */
const SESSION_MEMORY_MB = 256

/**
 * Puts a tap under every HTTP/2 session that the server accepts from now on. Node has no public API for it: this wraps the
 * listener by which Node creates a session, and raises an option of the server. Returns `null`, with nothing changed, if
 * this Node version has no such listener or option.
 */
export function tapServer(server: Server, event: 'connection' | 'secureConnection'): ServerTaps | null {
  const options = optionsOf(server)
  const makeSession = server.listeners(event).find(({ name }) => name === 'connectionListener')
  if (!options || !makeSession) return null
  const memoryBefore = options.maxSessionMemory
  options.maxSessionMemory = Math.max(memoryBefore ?? 0, SESSION_MEMORY_MB)
  const taps = new WeakMap<Socket, GoawayTap>()
  const makeTapped = (socket: Socket) => {
    if (!speaksHttp2(socket)) return void makeSession.call(server, socket)
    const tap = new GoawayTap(socket)
    taps.set(socket, tap)
    const dress = (session: ServerHttp2Session) => dressSession(session, socket)
    server.prependOnceListener('session', dress)
    makeSession.call(server, Object.assign(tap, { alpnProtocol: 'h2' }))
    server.off('session', dress)
  }
  replaceListener(server, event, makeSession, makeTapped)
  return {
    of: (socket) => taps.get(socket),
    remove() {
      replaceListener(server, event, makeTapped, makeSession)
      options.maxSessionMemory = memoryBefore
    },
  }
}

/** The options with which a server creates its sessions. */
function optionsOf(server: Server): { maxSessionMemory?: number | undefined } | null {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'options')
  const options = symbol && (server as unknown as Record<symbol, unknown>)[symbol]
  return typeof options === 'object' && options !== null && !Object.isFrozen(options) ? options : null
}

function speaksHttp2(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) || socket.alpnProtocol === 'h2'
}

/** Keeps the position, before the listeners of the application. */
// biome-ignore lint/complexity/noBannedTypes: what `listeners` returns.
function replaceListener(server: Server, event: string, before: Function, after: Function): void {
  const all = server.rawListeners(event)
  server.removeAllListeners(event)
  for (const one of all) server.on(event, (one === before ? after : one) as (...args: unknown[]) => void)
}

/** Properties of a TLS socket that applications read from `session.socket`, and that a plain stream lacks. */
const MIRRORED = ['encrypted', 'authorized', 'authorizationError', 'alpnProtocol', 'servername'] as const
const FORWARDED = [
  'getCertificate',
  'getCipher',
  'getFinished',
  'getPeerCertificate',
  'getPeerFinished',
  'getPeerX509Certificate',
  'getProtocol',
  'getSession',
  'getSharedSigalgs',
  'getX509Certificate',
  'exportKeyingMaterial',
  'isSessionReused',
] as const

interface Facade extends Record<string, unknown> {
  _getpeername: () => object
  _getsockname: () => object
}

/** Makes `session.socket` and the session itself look as they do without a tap. */
function dressSession(session: ServerHttp2Session, socket: Socket): void {
  const facade = session.socket as unknown as Facade
  // node:net reads the addresses of a socket from these methods.
  facade._getpeername = () => ({
    address: socket.remoteAddress,
    port: socket.remotePort,
    family: socket.remoteFamily,
  })
  facade._getsockname = () => ({
    address: socket.localAddress,
    port: socket.localPort,
    family: socket.localFamily,
  })
  if (!(socket instanceof TLSSocket)) return
  for (const name of MIRRORED) facade[name] = (socket as unknown as Record<string, unknown>)[name]
  for (const name of FORWARDED)
    facade[name] = (...args: never[]) => (socket[name] as (...args: never[]) => unknown)(...args)
  Object.defineProperty(session, 'encrypted', { value: true })
  Object.defineProperty(session, 'alpnProtocol', { value: 'h2' })
}
