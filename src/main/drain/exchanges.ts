import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'

/** Request and response, as passed to a `request` listener; the objects of HTTP/2 have the methods of HTTP/1.1. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** HTTP/2 exchanges by stream. Streams that reach no `request` listener are missing. */
export type Exchanges = WeakMap<ServerHttp2Stream, Exchange>
