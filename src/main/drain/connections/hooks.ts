import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import type { DrainNotice } from './connection.js'

/**
 * Ends an upgraded connection, for instance with the close frame of a WebSocket.
 *
 * @param socket what the server's `upgrade` or `connect` event gave.
 * @param request the request that asked for the upgrade.
 */
export type UpgradeHook = (socket: Duplex, notice: DrainNotice, request: IncomingMessage) => unknown

/** Ends an HTTP/2 stream that would not end by itself. */
export type StreamHook = (stream: ServerHttp2Stream, notice: DrainNotice) => unknown

/**
 * Ends a response that would not end by itself. On HTTP/2 the response and the request are an `Http2ServerResponse` and an
 * `Http2ServerRequest`, which have the methods of these types.
 */
export type ResponseHook = (
  response: ServerResponse,
  notice: DrainNotice,
  request: IncomingMessage,
) => unknown

/** Ends a connection whose protocol only the application knows. */
export type RawHook = (socket: Socket, notice: DrainNotice) => unknown

/** One function, or several: each is called. */
export type OneOrMany<Hook> = Hook | readonly Hook[]

/**
 * The application's own goodbyes, each a function or a list of functions. One that throws or rejects is logged, and the
 * drain goes on.
 */
export interface DrainHooks {
  /**
   * Says goodbye on an upgraded connection ({@link closeWebSockets} closes WebSockets). Without it the connection stays
   * until it closes by itself or the deadline comes.
   */
  readonly onUpgrade?: OneOrMany<UpgradeHook> | undefined
  /**
   * Ends an HTTP/2 stream that would not end by itself: a gRPC stream, a WebSocket of RFC 8441. Called for every stream
   * that is open at the goodbye of its session, short ones too, and for those that open later.
   */
  readonly onStream?: OneOrMany<StreamHook> | undefined
  /**
   * Ends a response that would not end by itself: server-sent events ({@link closeEventStreams}), long polling. Called
   * once for every response of a `request` listener that is open at the goodbye of its connection, short ones too, and
   * for those that begin later; on HTTP/1.1 and on HTTP/2. `headersSent` tells whether a response has started.
   */
  readonly onResponse?: OneOrMany<ResponseHook> | undefined
  /**
   * Says goodbye on a connection of a `node:tls` or `node:net` server. Without it the connection stays until the peer
   * closes it or the deadline comes.
   */
  readonly onRaw?: OneOrMany<RawHook> | undefined
}

/** The names of the options that are hooks. */
export type HookName = keyof DrainHooks

/** What the function of a hook is. */
export type HookOf<N extends HookName> = Extract<NonNullable<DrainHooks[N]>, (...args: never[]) => unknown>

/**
 * What a hook of this library returns for a connection that it cannot end. When no other hook of the list could either,
 * the drain logs it.
 *
 * @internal
 */
export const NO_GOODBYE: unique symbol = Symbol('no goodbye')
