import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'

/** A request of HTTP/2 and its response, as a `request` listener gets them. */
export interface Http2Exchange {
  readonly request: Http2ServerRequest
  readonly response: Http2ServerResponse
}

/** The requests of HTTP/2 by their streams. A stream that has no `request` listener is not in it. */
export type Exchanges = WeakMap<ServerHttp2Stream, Http2Exchange>
