import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import net, { type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import tls, { type TLSSocket } from 'node:tls'

import { peerOf } from '../attach/connection-generations.js'
import type { DrainContext } from './connections/drain-context.js'
import { HandshakeConnection } from './connections/handshake.js'
import { Http1Connection } from './connections/http1.js'
import { Http2Connection } from './connections/http2.js'
import { rawConnection } from './connections/raw.js'
import { upgradedConnection } from './connections/upgraded.js'
import type { HandedOn } from './handed-on.js'
import { refuseRequests } from './node/late-requests.js'
import { listenBeside } from './node/listen-beside.js'
import { stopListening } from './node/stop-listening.js'
import { type ServerTaps, tapServer } from './node/tap-server.js'
import { protocolsOf } from './server-protocols.js'

/** A server whose connections are recorded, each under its protocol. */
export interface WatchedServer {
  stopListening(): void
  /** Records a connection that was passed to this server before it was watched. */
  take(socket: Socket, session: ServerHttp2Session | undefined): void
  /** Answers further HTTP/1.1 requests with 503 instead of the application. */
  refuseRequests(): void
  /** Removes every listener. */
  release(): void
}

export interface WatchOptions {
  /** Whether HTTP/2 sessions get two GOAWAYs. */
  readonly twoPhase: boolean
  /** Called when a connection of a `node:tls` or `node:net` server is passed to an HTTP server. */
  readonly handedOn: (socket: Socket, to: HandedOn) => void
}

/**
 * Watches the connections that a server accepts from now on. On a TLS server, the TLS socket replaces the handshake's TCP
 * socket, which would look idle while requests run.
 */
export function watchServer(
  server: net.Server,
  context: DrainContext,
  { twoPhase, handedOn }: WatchOptions,
): WatchedServer {
  const secure = server instanceof tls.Server
  const event = secure ? 'secureConnection' : 'connection'
  const { http1: speaksHttp1, http2: speaksHttp2 } = protocolsOf(server)
  const taps = speaksHttp2 && twoPhase ? tapOrWarn(server, event, context) : null
  const handshakes = secure ? watchHandshakes(server, context) : null
  const keepsExchanges = context.hooks.has('onResponse')
  const { connections } = context
  let arriving: Socket | undefined

  const accept = (socket: Socket) => {
    if (speaksHttp2 && (!secure || (socket as TLSSocket).alpnProtocol === 'h2')) {
      arriving = socket
      return
    }
    const handshake = handshakes?.finished(socket)
    const connection = speaksHttp1
      ? new Http1Connection(socket, context, handshake?.facts.ageMs)
      : rawConnection(socket, context, (to) => handedOn(socket, to))
    connections.add(connection, socket, handshake)
  }
  const begin = (session: ServerHttp2Session) => {
    const socket = arriving ?? session.socket
    arriving = undefined
    const connection = new Http2Connection({ session, socket, tap: taps?.of(socket) }, context)
    connections.add(connection, socket, handshakes?.finished(socket))
  }
  const connectionOf = (socket: Socket) => {
    const known = connections.of(socket)
    if (known instanceof Http1Connection) return known
    // It was accepted before the server was watched.
    const connection = new Http1Connection(socket, context)
    connections.add(connection, socket)
    return connection
  }
  const request = (
    message: IncomingMessage,
    response: ServerResponse & { readonly stream?: ServerHttp2Stream },
  ) => {
    if (message.httpVersionMajor === 1) connectionOf(message.socket).request(message, response)
    else if (response.stream && keepsExchanges)
      context.exchanges.set(response.stream, { request: message, response })
  }
  const upgrade = (message: IncomingMessage, stream: Duplex) => {
    if (message.httpVersionMajor !== 1) return
    const { ageMs } = connectionOf(message.socket).facts
    connections.add(upgradedConnection(message, stream, context, ageMs), message.socket)
  }

  const stopRequests = speaksHttp1
    ? listenBeside(server, {
        request,
        checkContinue: request,
        checkExpectation: request,
        upgrade,
        connect: upgrade,
      })
    : () => {}
  server.prependListener(event, accept)
  if (speaksHttp2) server.on('session', begin)
  let takeRequests = () => {}
  return {
    stopListening: () => stopListening(server),
    take(socket, session) {
      if (session) connections.add(new Http2Connection({ session, socket, tap: undefined }, context), socket)
      else if (speaksHttp1) connectionOf(socket)
    },
    refuseRequests() {
      if (speaksHttp1) takeRequests = refuseRequests(server)
    },
    release() {
      takeRequests()
      stopRequests()
      server.off(event, accept).off('session', begin)
      handshakes?.release()
      taps?.remove()
    },
  }
}

/** Running handshakes by the address of their peer; those on Unix sockets have none and are not seen. */
function watchHandshakes(server: net.Server, context: DrainContext) {
  const running = new Map<string, HandshakeConnection>()
  const begin = (socket: Socket) => {
    const peer = socket instanceof net.Socket ? peerOf(socket) : null
    if (peer === null) return
    const handshake = new HandshakeConnection(socket, context)
    running.set(peer, handshake)
    context.connections.add(handshake, socket)
    socket.once('close', () => {
      if (running.get(peer) === handshake) running.delete(peer)
    })
  }
  server.on('connection', begin)
  return {
    /** The handshake of this TLS socket. */
    finished(socket: Socket): HandshakeConnection | undefined {
      const peer = peerOf(socket) ?? ''
      const handshake = running.get(peer)
      running.delete(peer)
      return handshake
    },
    release: () => server.off('connection', begin),
  }
}

function tapOrWarn(
  server: net.Server,
  event: 'connection' | 'secureConnection',
  { logger }: DrainContext,
): ServerTaps | null {
  const taps = tapServer(server, event)
  if (!taps) {
    const message = 'two-phase GOAWAY is not possible on this Node version; a single GOAWAY is sent'
    logger.warn({ node: process.version }, message)
  }
  return taps
}
