import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { afterReading } from '../node/after-reading.js'
import { discardInput, halfClose } from '../node/half-close.js'
import { alternativeService } from '../redirect.js'
import type { Connection, Departure, DrainNotice } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { type ConnectionFacts, factsOf, requestLine } from './facts.js'

/** A connection this young may have its first request on the way, in milliseconds. */
export const NEWBORN_MS = 500

const TIMEOUT_ANSWER = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'

/**
 * HTTP/1.1: answers what it was asked, says `Connection: close` with every answer whose headers are still to be sent,
 * and ends after the last one.
 */
export class Http1Connection implements Connection {
  readonly facts: ConnectionFacts
  readonly #socket: Socket
  readonly #context: DrainContext
  /** Answers that are not finished, in the order of their requests. */
  readonly #running = new Map<ServerResponse, IncomingMessage>()
  #phase: 'serving' | 'winding-down' | 'leaving' | 'ended' = 'serving'
  #altSvc: string | null = null
  /** Set while leaving, where a hook is to be called for each response. */
  #notice: DrainNotice | null = null
  #marked: ServerResponse | null = null
  #served = false
  /** What had been read when the last request was complete; more than that is the beginning of another one. */
  #readBefore: number
  #departure: Departure = 'closed'
  #cancelWait: () => void = () => {}
  readonly #onClose = () => this.#context.book.drop(this, this.#departure)

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
    // The application has not got the request yet.
    if (notice) setImmediate(() => this.#callHook(response, notice))
  }

  windDown({ uri }: DrainNotice): void {
    if (this.#phase !== 'serving') return
    this.#phase = 'winding-down'
    this.#altSvc = alternativeService(uri, 'h2', 'http/1.1')
    // Node closes the socket outright after such an answer.
    this.#socket.destroySoon = () => this.#end()
    this.#markLast()
  }

  carryOn(): void {
    if (this.#phase === 'winding-down') this.#phase = 'serving'
  }

  leave(notice: DrainNotice): void {
    if (this.#phase === 'leaving' || this.#phase === 'ended') return
    this.windDown(notice)
    this.#phase = 'leaving'
    if (this.#context.goodbyes.has('onResponse')) {
      this.#notice = notice
      for (const response of this.#running.keys()) this.#callHook(response, notice)
    }
    if (this.#running.size > 0) return
    if (this.#socket.bytesRead > this.#readBefore) this.#awaitRequest(this.#context.incompleteMs)
    else if (!this.#served && this.facts.ageMs < NEWBORN_MS) this.#awaitRequest(NEWBORN_MS)
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
   * Says `Connection: close` with the answer to the newest request, and with no earlier one: a client does not read what
   * comes after such an answer.
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
    this.#context.goodbyes.say('onResponse', about, response, notice, request)
  }

  /** Gives a request that has begun to arrive, or must be on its way, the time to be complete. */
  #awaitRequest(ms: number): void {
    this.#cancelWait = afterReading(this.#context.clock, ms, () => {
      if (this.#socket.bytesRead === this.#readBefore) return this.#end()
      this.#departure = 'abandoned'
      this.#end(TIMEOUT_ANSWER)
    })
  }

  /** One turn of the loop later: a pipelined request may have been received already, but not been parsed. */
  #endWhenIdle(): void {
    setImmediate(() => {
      if (this.#running.size === 0) this.#end()
    })
  }

  #end(lastWords?: string): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    // A request that comes too late must not be processed: its answer could not be sent.
    if (this.#running.size === 0) discardInput(this.#socket)
    if (lastWords !== undefined) this.#socket.write(lastWords)
    halfClose(this.#socket, this.#context.clock)
  }
}
