import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import type { DrainNotice } from './connection.js'

/**
 * Ends an upgraded connection, for instance with the close frame of a WebSocket.
 *
 * @param socket the stream from the server's `upgrade` or `connect` event.
 * @param request the upgrade request.
 */
export type UpgradeHook = (socket: Duplex, notice: DrainNotice, request: IncomingMessage) => unknown

/** Ends a long-lived HTTP/2 stream. */
export type StreamHook = (stream: ServerHttp2Stream, notice: DrainNotice) => unknown

/**
 * Ends a long-lived response. On HTTP/2 the response and the request are an `Http2ServerResponse` and an
 * `Http2ServerRequest`, which have the methods of these types.
 */
export type ResponseHook = (
  response: ServerResponse,
  notice: DrainNotice,
  request: IncomingMessage,
) => unknown

/** Ends a connection whose protocol only the application knows. */
export type RawHook = (socket: Socket, notice: DrainNotice) => unknown

/** One function, or several, each of which is called. */
export type OneOrMany<Hook> = Hook | readonly Hook[]

/**
 * Hooks by which the application closes connections; each is a function or a list of functions. A hook that throws or
 * rejects is logged, and the drain continues.
 */
export interface DrainHooks {
  /**
   * Closes an upgraded connection ({@link closeWebSockets} closes WebSockets). Without it, the connection stays open until
   * either side closes it or the deadline passes.
   */
  readonly onUpgrade?: OneOrMany<UpgradeHook> | undefined
  /**
   * Ends a long-lived HTTP/2 stream: a gRPC stream, a WebSocket of RFC 8441. Called for every stream, short ones too, that
   * is open when its session gets its GOAWAY, and for every stream that opens later.
   */
  readonly onStream?: OneOrMany<StreamHook> | undefined
  /**
   * Ends a long-lived response on HTTP/1.1 or HTTP/2: server-sent events ({@link closeEventStreams}), long polling. Called
   * once for every response of a `request` listener, short ones too, that is open when the drain closes its connection,
   * and for every response that begins later. `headersSent` shows whether a response has started.
   */
  readonly onResponse?: OneOrMany<ResponseHook> | undefined
  /**
   * Closes a connection of a `node:tls` or `node:net` server. Without it, the connection stays open until the peer closes
   * it or the deadline passes.
   */
  readonly onRaw?: OneOrMany<RawHook> | undefined
}

/** Name of a hook option. */
export type HookName = keyof DrainHooks

/** Type of one function of a hook. */
export type HookOf<N extends HookName> = Extract<NonNullable<DrainHooks[N]>, (...args: never[]) => unknown>

/**
 * Returned by a hook of this library for a connection that it cannot close. If every hook of the list returns it, the drain
 * logs a warning.
 *
 * @internal
 */
export const CANNOT_CLOSE: unique symbol = Symbol('cannot close')
