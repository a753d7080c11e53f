import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import https from 'node:https'
import net, { type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import tls, { type TLSSocket } from 'node:tls'

import { peerOf } from '../attach/connection-ledger.js'
import { HandshakeConnection } from './handshake.js'
import { Http1Connection } from './http1.js'
import { Http2Connection } from './http2.js'
import { refuseRequests } from './late-requests.js'
import { listenBeside } from './listen-beside.js'
import { rawConnection } from './raw.js'
import { stopListening } from './stop-listening.js'
import type { Surroundings } from './surroundings.js'
import { type ServerTaps, tapServer } from './tap-server.js'
import { upgradedConnection } from './upgraded.js'

/** A server whose connections come into the book, each as what it speaks. */
export interface WatchedServer {
  stopListening(): void
  /** Answers further HTTP/1.1 requests with 503 in place of the application. */
  refuseRequests(): void
  /** Takes every listener off it. */
  release(): void
}

/**
 * Watches the connections that a server accepts from now on. On a TLS server a connection counts from its handshake on;
 * the raw socket under it would look idle while its requests run.
 */
export function watchServer(server: net.Server, around: Surroundings, twoPhase: boolean): WatchedServer {
  const secure = server instanceof tls.Server
  const event = secure ? 'secureConnection' : 'connection'
  const speaksHttp1 = server instanceof http.Server || server instanceof https.Server
  const speaksHttp2 = 'updateSettings' in server
  const taps = speaksHttp2 && twoPhase ? tapOrWarn(server, event, around) : null
  const handshakes = secure ? watchHandshakes(server, around) : null
  const { book } = around
  let arriving: Socket | undefined

  const accept = (socket: Socket) => {
    if (speaksHttp2 && (!secure || (socket as TLSSocket).alpnProtocol === 'h2')) {
      arriving = socket
      return
    }
    const handshake = handshakes?.finished(socket)
    const connection =
      speaksHttp1 || speaksHttp2
        ? new Http1Connection(socket, around, handshake?.facts.ageMs)
        : rawConnection(socket, around)
    book.add(connection, socket, handshake)
  }
  const begin = (session: ServerHttp2Session) => {
    const socket = arriving ?? session.socket
    arriving = undefined
    const connection = new Http2Connection({ session, socket, tap: taps?.of(socket) }, around)
    book.add(connection, socket, handshakes?.finished(socket))
  }
  const connectionOf = (socket: Socket) => {
    const known = book.of(socket)
    if (known instanceof Http1Connection) return known
    // Connected before the server was watched.
    const connection = new Http1Connection(socket, around)
    book.add(connection, socket)
    return connection
  }
  const request = (message: IncomingMessage, response: ServerResponse) => {
    if (message.httpVersionMajor === 1) connectionOf(message.socket).request(message, response)
  }
  const upgrade = (message: IncomingMessage, stream: Duplex) => {
    if (message.httpVersionMajor !== 1) return
    const { ageMs } = connectionOf(message.socket).facts
    book.add(upgradedConnection(message, stream, around, ageMs), message.socket)
  }

  const stopRequests =
    speaksHttp1 || speaksHttp2
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
    refuseRequests() {
      if (speaksHttp1 || speaksHttp2) takeRequests = refuseRequests(server)
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

/** Handshakes that are under way, told from one another by their peers' addresses: those of Unix sockets are not seen. */
function watchHandshakes(server: net.Server, around: Surroundings) {
  const running = new Map<string, HandshakeConnection>()
  const begin = (socket: Socket) => {
    const peer = socket instanceof net.Socket ? peerOf(socket) : null
    if (peer === null) return
    const handshake = new HandshakeConnection(socket, around)
    running.set(peer, handshake)
    around.book.add(handshake, socket)
    socket.once('close', () => {
      if (running.get(peer) === handshake) running.delete(peer)
    })
  }
  server.on('connection', begin)
  return {
    /** The handshake that this TLS socket came of. */
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
  { logger }: Surroundings,
): ServerTaps | null {
  const taps = tapServer(server, event)
  if (!taps) {
    const message = 'two-phase GOAWAY is not possible on this Node; sessions get a single one'
    logger.warn({ node: process.version }, message)
  }
  return taps
}
