import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'

/** A request and its response, as a `request` listener gets them; those of HTTP/2 have the methods of HTTP/1.1. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** The exchanges of HTTP/2 by their streams. A stream that no `request` listener gets is not in it. */
export type Exchanges = WeakMap<ServerHttp2Stream, Exchange>
