import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'

import type { Connection, Departure, DrainNotice } from './connection.js'
import { type ConnectionFacts, factsOf, requestLine } from './facts.js'
import type { GoawayTap } from './goaway-tap.js'
import { lingerAfterEnd } from './half-close.js'
import { callHook } from './hooks.js'
import { NEWBORN_MS } from './http1.js'
import { alternativeService } from './redirect.js'
import type { Surroundings } from './surroundings.js'

/** How long the first GOAWAY of two waits to be known to the client, in milliseconds; okhttp's time. */
const FIRST_GOAWAY_MS = 1_000

/** Time for the resets of streams, and then for the end of the session, to be on their way, in milliseconds. */
const CUT_MS = 100

export interface Http2Parts {
  readonly session: ServerHttp2Session
  /** The socket under the session, which `session.socket` does not let anyone close. */
  readonly socket: Socket
  /** Where two GOAWAYs are wanted: what can send the first. */
  readonly tap: GoawayTap | undefined
}

/**
 * HTTP/2: one GOAWAY that names the last stream that is served (or, with a tap, a first one that names none), streams
 * up to it run to their end, and the session closes with the last of them.
 */
export class Http2Connection implements Connection {
  readonly facts: ConnectionFacts
  readonly #session: ServerHttp2Session
  readonly #socket: Socket
  readonly #tap: GoawayTap | undefined
  readonly #around: Surroundings
  readonly #streams = new Map<ServerHttp2Stream, IncomingHttpHeaders>()
  #notice: DrainNotice | null = null
  #authority: string | undefined
  #departure: Departure = 'closed'
  #waits: (() => void)[] = []
  readonly #onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
    this.#open(stream, headers)
  readonly #onClose = () => this.#around.book.drop(this, this.#departure)

  constructor({ session, socket, tap }: Http2Parts, around: Surroundings) {
    this.#session = session
    this.#socket = socket
    this.#tap = tap
    this.#around = around
    this.facts = factsOf({
      protocol: 'http2',
      socket,
      ...around.factParts,
      requests: () =>
        [...this.#streams.values()].map((headers) => requestLine(headers[':method'], headers[':path'])),
    })
    session.on('stream', this.#onStream).once('close', this.#onClose)
  }

  windDown(): void {}

  carryOn(): void {}

  leave(notice: DrainNotice, newborn: boolean): void {
    // A GOAWAY before its first stream would only turn the client away.
    if (newborn && !this.#tap && this.#streams.size === 0) this.#leaveAfterFirst(notice)
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
    lingerAfterEnd(this.#socket, this.#around.clock)
    if (this.#notice || this.#session.destroyed) return
    this.#notice = notice
    for (const stream of this.#streams.keys()) this.#callHook(stream)
    if (this.#tap) this.#sendTwo(this.#tap, notice)
    else this.#sendOne(notice)
    this.#watchForDeath(this.#socket.bytesRead)
  }

  #open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#streams.set(stream, headers)
    this.#authority = headers[':authority'] ?? this.#authority
    stream.once('close', () => this.#streams.delete(stream))
    if (this.#notice) this.#callHook(stream)
  }

  #leaveAfterFirst(notice: DrainNotice): void {
    const leave = () => this.#leaveNow(notice)
    this.#session.once('stream', leave)
    this.#wait(NEWBORN_MS, leave)
  }

  #sendOne(notice: DrainNotice): void {
    this.#sendAltSvc(notice.uri)
    if (notice.uri !== undefined) {
      this.#session.goaway(constants.NGHTTP2_NO_ERROR, 0, Buffer.from(notice.uri))
    }
    this.#session.close()
  }

  #sendTwo(tap: GoawayTap, notice: DrainNotice): void {
    this.#sendAltSvc(notice.uri)
    tap.sendFirstGoaway(notice.uri)
    const sendLast = () => this.#session.close()
    // When the client answers this it has read the GOAWAY before it, and opens no more streams.
    if (this.#ping(sendLast)) this.#wait(FIRST_GOAWAY_MS, sendLast)
    else sendLast()
  }

  #sendAltSvc(uri: string | undefined): void {
    const service = alternativeService(uri, 'h2')
    if (service === null || this.#authority === undefined) return
    const scheme = this.#session.encrypted ? 'https' : 'http'
    const origin = `${scheme}://${this.#authority}`
    if (URL.canParse(origin)) this.#session.altsvc(service, origin)
  }

  /**
   * Asks for a byte each period, and ends the session of a peer that sent none in a whole one. A peer that has not read
   * what it was sent may be slow rather than dead, and is left to the deadline.
   */
  #watchForDeath(readBefore: number): void {
    this.#ping(() => {})
    this.#wait(this.#around.pingTimeoutMs, () => {
      const silent = this.#socket.bytesRead === readBefore
      const behind = [...this.#streams.keys()].some((stream) => stream.writableLength > 0)
      if (!silent || behind) {
        this.#watchForDeath(this.#socket.bytesRead)
      } else {
        this.#departure = 'abandoned'
        this.#destroy()
      }
    })
  }

  #ping(answered: () => void): boolean {
    if (this.#session.destroyed) return false
    return this.#session.ping((error) => {
      if (!error) answered()
    })
  }

  #callHook(stream: ServerHttp2Stream): void {
    const { hooks, logger } = this.#around
    const notice = this.#notice as DrainNotice
    callHook('onStream', logger, () => hooks.onStream?.(stream, notice))
  }

  /** By itself the end of a session resets no stream: its clients would take what they have for the whole. */
  #destroy(): void {
    for (const stream of this.#streams.keys()) stream.close(constants.NGHTTP2_CANCEL)
    setImmediate(() => this.#session.destroy())
    this.#wait(CUT_MS, () => this.#socket.destroy())
  }

  #wait(ms: number, callback: () => void): void {
    this.#waits.push(this.#around.clock.after(ms, callback))
  }
}
