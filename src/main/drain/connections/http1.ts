import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { afterReading } from '../node/after-reading.js'
import { discardInput, halfClose } from '../node/half-close.js'
import { alternativeService } from '../redirect.js'
import type { Connection, Departure, DrainNotice } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { type ConnectionFacts, factsOf, requestLine } from './facts.js'

/** Milliseconds after `accept` within which the first request may still be on its way. */
export const FIRST_REQUEST_MS = 500

const TIMEOUT_ANSWER = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'

/**
 * HTTP/1.1: answers the requests received, sends `Connection: close` with the newest response whose headers are not yet
 * sent (RFC 9112, section 9.6), and closes after the last response.
 */
export class Http1Connection implements Connection {
  readonly facts: ConnectionFacts
  readonly #socket: Socket
  readonly #context: DrainContext
  /** Unfinished responses, in the order of their requests. */
  readonly #running = new Map<ServerResponse, IncomingMessage>()
  #phase: 'serving' | 'winding-down' | 'leaving' | 'ended' = 'serving'
  #altSvc: string | null = null
  /** Set while leaving, if the hook `onResponse` exists. */
  #notice: DrainNotice | null = null
  #marked: ServerResponse | null = null
  #served = false
  /** Bytes read when the last response finished; more bytes are the beginning of another request. */
  #readBefore: number
  #departure: Departure = 'closed'
  #cancelWait: () => void = () => {}
  readonly #onClose = () => this.#context.connections.drop(this, this.#departure)

  constructor(socket: Socket, context: DrainContext, ageMs?: number) {
    this.#socket = socket
    this.#context = context
    this.#readBefore = socket.bytesRead
    this.facts = factsOf({
      protocol: 'http1',
      socket,
      ...context.factParts,
      ...(ageMs === undefined ? {} : { ageMs }),
      requests: () => [...this.#running.values()].map(({ method, url }) => requestLine(method, url)),
    })
    socket.once('close', this.#onClose)
  }

  /** Called once for every request, before the application sees it. */
  request(request: IncomingMessage, response: ServerResponse): void {
    if (this.#running.has(response)) return
    this.#cancelWait()
    this.#served = true
    this.#running.set(response, request)
    response.once('close', () => this.#finish(response))
    if (this.#phase !== 'serving') this.#markLast()
    const notice = this.#notice
    // The application has not received the request yet.
    if (notice) setImmediate(() => this.#callHook(response, notice))
  }

  windDown({ uri }: DrainNotice): void {
    if (this.#phase !== 'serving') return
    this.#phase = 'winding-down'
    this.#altSvc = alternativeService(uri, 'h2', 'http/1.1')
    // Node calls it after a response with `Connection: close`, and would close without reading the peer's end.
    this.#socket.destroySoon = () => this.#end()
    this.#markLast()
  }

  undoWindDown(): void {
    if (this.#phase === 'winding-down') this.#phase = 'serving'
  }

  leave(notice: DrainNotice): void {
    if (this.#phase === 'leaving' || this.#phase === 'ended') return
    this.windDown(notice)
    this.#phase = 'leaving'
    if (this.#context.hooks.has('onResponse')) {
      this.#notice = notice
      for (const response of this.#running.keys()) this.#callHook(response, notice)
    }
    if (this.#running.size > 0) return
    if (this.#socket.bytesRead > this.#readBefore) this.#awaitRequest(this.#context.incompleteMs)
    else if (!this.#served && this.facts.ageMs < FIRST_REQUEST_MS) this.#awaitRequest(FIRST_REQUEST_MS)
    else this.#endWhenIdle()
  }

  cut(): void {
    this.#departure = 'forced'
    this.#socket.destroy()
  }

  release(): void {
    this.#phase = 'ended'
    this.#cancelWait()
    this.#socket.off('close', this.#onClose)
    Reflect.deleteProperty(this.#socket, 'destroySoon')
  }

  /**
   * Sends `Connection: close` only with the response to the newest request: a client ignores everything after a response
   * with this header.
   */
  #markLast(): void {
    const newest = [...this.#running.keys()].pop()
    if (this.#marked && this.#marked !== newest && !this.#marked.headersSent) {
      this.#marked.setHeader('connection', 'keep-alive')
    }
    if (!newest || newest.headersSent) return
    this.#marked = newest
    newest.setHeader('connection', 'close')
    if (this.#altSvc !== null && !newest.hasHeader('alt-svc')) newest.setHeader('alt-svc', this.#altSvc)
  }

  #finish(response: ServerResponse): void {
    this.#running.delete(response)
    if (this.#running.size > 0) return
    this.#readBefore = this.#socket.bytesRead
    if (this.#phase === 'leaving') this.#endWhenIdle()
  }

  #callHook(response: ServerResponse, notice: DrainNotice): void {
    const request = this.#running.get(response)
    if (!request) return
    const about = { protocol: 'http1', request: requestLine(request.method, request.url) }
    this.#context.hooks.call('onResponse', about, response, notice, request)
  }

  /** Waits for a request that has begun to arrive or may be on its way. */
  #awaitRequest(ms: number): void {
    this.#cancelWait = afterReading(this.#context.clock, ms, () => {
      if (this.#socket.bytesRead === this.#readBefore) return this.#end()
      this.#departure = 'abandoned'
      this.#end(TIMEOUT_ANSWER)
    })
  }

  /** Waits one turn of the loop: a pipelined request may have been received but not parsed yet. */
  #endWhenIdle(): void {
    setImmediate(() => {
      if (this.#running.size === 0) this.#end()
    })
  }

  #end(finalData?: string): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    // A later request must not be processed: its response could not be sent.
    if (this.#running.size === 0) discardInput(this.#socket)
    if (finalData !== undefined) this.#socket.write(finalData)
    halfClose(this.#socket, this.#context.clock)
  }
}
