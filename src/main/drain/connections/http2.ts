import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'

import { afterReading } from '../node/after-reading.js'
import type { GoawayTap } from '../node/goaway-tap.js'
import { lingerAfterEnd } from '../node/half-close.js'
import { refuseStreamsAbove, resetStream } from '../node/reset-stream.js'
import { alternativeService } from '../redirect.js'
import type { Connection, Departure, DrainNotice } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { type ConnectionFacts, factsOf, requestLine } from './facts.js'
import { FIRST_REQUEST_MS } from './http1.js'

/** Most milliseconds between the two GOAWAYs, in which the client should have read the first; the value of okhttp. */
const FIRST_GOAWAY_MS = 1_000

/** Interval in milliseconds at which to check whether a queued GOAWAY has been written. */
const FLUSH_MS = 10

/** Milliseconds in which stream resets and the end of the session are written before the socket is destroyed. */
const CUT_MS = 100

export interface Http2Parts {
  readonly session: ServerHttp2Session
  /** The socket under the session; the proxy `session.socket` cannot be closed. */
  readonly socket: Socket
  /** Sends the first of two GOAWAYs; `undefined` with a single one. */
  readonly tap: GoawayTap | undefined
}

/**
 * HTTP/2: sends a GOAWAY with the last stream that is served (RFC 9113, section 6.8), with a tap preceded by one that
 * names no stream. Streams up to the last one run to their end, and the session closes with the last of them.
 */
export class Http2Connection implements Connection {
  readonly facts: ConnectionFacts
  readonly #session: ServerHttp2Session
  readonly #socket: Socket
  readonly #tap: GoawayTap | undefined
  readonly #context: DrainContext
  readonly #streams = new Map<ServerHttp2Stream, IncomingHttpHeaders>()
  #notice: DrainNotice | null = null
  #goneAway = false
  #authority: string | undefined
  #departure: Departure = 'closed'
  #waits: (() => void)[] = []
  readonly #onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
    this.#open(stream, headers)
  readonly #onClose = () => this.#context.connections.drop(this, this.#departure)

  constructor({ session, socket, tap }: Http2Parts, context: DrainContext) {
    this.#session = session
    this.#socket = socket
    this.#tap = tap
    this.#context = context
    this.facts = factsOf({
      protocol: 'http2',
      socket,
      ...context.factParts,
      requests: () =>
        [...this.#streams.values()].map((headers) => requestLine(headers[':method'], headers[':path'])),
    })
    session.on('stream', this.#onStream).once('close', this.#onClose)
  }

  windDown(): void {}

  undoWindDown(): void {}

  leave(notice: DrainNotice, isNew: boolean): void {
    // A GOAWAY before the first stream would refuse a request that is already on its way.
    if (isNew && !this.#tap && this.#streams.size === 0) this.#leaveAfterFirst(notice)
    else this.#leaveNow(notice)
  }

  cut(): void {
    this.#departure = 'forced'
    this.#destroy()
  }

  release(): void {
    for (const cancel of this.#waits) cancel()
    this.#session.off('stream', this.#onStream).off('close', this.#onClose)
  }

  #leaveNow(notice: DrainNotice): void {
    lingerAfterEnd(this.#socket, this.#context.clock)
    if (this.#notice || this.#session.destroyed) return
    this.#notice = notice
    for (const stream of this.#streams.keys()) this.#callHooks(stream)
    this.#sendAltSvc(notice.uri)
    if (this.#tap) {
      this.#announce(this.#tap, notice.uri)
    } else {
      this.#goAway(notice.uri)
      this.#ping(() => {})
    }
    this.#watchForDeath(this.#socket.bytesRead)
  }

  #open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#streams.set(stream, headers)
    this.#authority = headers[':authority'] ?? this.#authority
    stream.once('close', () => this.#finish(stream))
    if (this.#notice) this.#callHooks(stream)
  }

  #leaveAfterFirst(notice: DrainNotice): void {
    const leave = () => this.#leaveNow(notice)
    this.#session.once('stream', leave)
    this.#waits.push(afterReading(this.#context.clock, FIRST_REQUEST_MS, leave))
  }

  #finish(stream: ServerHttp2Stream): void {
    this.#streams.delete(stream)
    if (this.#goneAway) this.#closeAfterLast()
  }

  /** Sends the first of two GOAWAYs; the second follows once the client must have read the first and opens no more streams. */
  #announce(tap: GoawayTap, uri: string | undefined): void {
    tap.sendFirstGoaway(uri)
    this.#context.goawaySent()
    this.#ping(() => this.#goAway(uri))
    this.#wait(FIRST_GOAWAY_MS, () => this.#goAway(uri))
  }

  #goAway(debugData = ''): void {
    if (this.#goneAway || this.#session.destroyed) return
    this.#goneAway = true
    if (!this.#session.closed) {
      refuseStreamsAbove(this.#session, this.#session.state.lastProcStreamID ?? 0)
      this.#session.goaway(constants.NGHTTP2_NO_ERROR, 0, Buffer.from(debugData))
      if (!this.#tap) this.#context.goawaySent()
    }
    this.#closeAfterLast()
  }

  /**
   * Closes the session when no stream is left and the GOAWAY has been written. `close` itself is not used to send the
   * GOAWAY: a stream that arrives after `close` while the GOAWAY is still queued is reset while nghttp2 reads it, which
   * corrupts the heap (Node 20 to 26).
   */
  #closeAfterLast(): void {
    if (this.#streams.size > 0 || this.#session.destroyed) return
    if (this.#session.state.outboundQueueSize === 0) this.#session.close()
    else this.#wait(FLUSH_MS, () => this.#closeAfterLast())
  }

  #sendAltSvc(uri: string | undefined): void {
    const service = alternativeService(uri, 'h2')
    if (service === null || this.#authority === undefined) return
    const scheme = this.#session.encrypted ? 'https' : 'http'
    const origin = `${scheme}://${this.#authority}`
    if (URL.canParse(origin)) this.#session.altsvc(service, origin)
  }

  /**
   * Pings the peer each period, and destroys the session if a whole period brings no byte. A peer with unread response data
   * may be slow rather than dead, and is left to the deadline.
   */
  #watchForDeath(readBefore: number): void {
    const { pingTimeoutMs } = this.#context
    if (pingTimeoutMs === Number.POSITIVE_INFINITY) return
    this.#wait(pingTimeoutMs, () => {
      // A closed session sends no pings; its socket is already bound by `lingerAfterEnd`.
      if (this.#session.closed) return
      const silent = this.#socket.bytesRead === readBefore
      const behind = [...this.#streams.keys()].some((stream) => stream.writableLength > 0)
      if (!silent || behind) {
        this.#ping(() => {})
        this.#watchForDeath(this.#socket.bytesRead)
      } else {
        this.#departure = 'abandoned'
        this.#destroy()
      }
    })
  }

  #ping(answered: () => void): void {
    if (this.#session.destroyed) return
    this.#session.ping((error) => {
      if (!error) answered()
    })
  }

  #callHooks(stream: ServerHttp2Stream): void {
    const { hooks, exchanges } = this.#context
    if (!hooks.has('onStream') && !hooks.has('onResponse')) return
    const notice = this.#notice as DrainNotice
    const headers = this.#streams.get(stream)
    const about = { protocol: 'http2', request: requestLine(headers?.[':method'], headers?.[':path']) }
    hooks.call('onStream', about, stream, notice)
    const exchange = exchanges.get(stream)
    if (exchange) hooks.call('onResponse', about, exchange.response, notice, exchange.request)
  }

  #destroy(): void {
    for (const stream of this.#streams.keys()) resetStream(stream)
    setImmediate(() => this.#session.destroy())
    this.#wait(CUT_MS, () => this.#socket.destroy())
  }

  #wait(ms: number, callback: () => void): void {
    this.#waits.push(this.#context.clock.after(ms, callback))
  }
}
