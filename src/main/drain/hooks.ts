import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import type { Logger } from '../observe/logger.js'
import { callUserCode } from '../user-code.js'
import type { DrainNotice } from './connection.js'

/** The application's own goodbyes. One that throws or rejects is logged, and the drain goes on. */
export interface DrainHooks {
  /**
   * Says goodbye on an upgraded connection, for instance with the close frame of a WebSocket
   * ({@link closeWebSockets} does). Without it the connection stays until it closes by itself or the deadline comes.
   * @param socket what the server's `upgrade` or `connect` event gave.
   * @param request the request that asked for the upgrade.
   */
  readonly onUpgrade?:
    | ((socket: Duplex, notice: DrainNotice, request: IncomingMessage) => unknown)
    | undefined
  /**
   * Ends an HTTP/2 stream that would not end by itself: server-sent events, a gRPC stream, a WebSocket of RFC 8441.
   * Called for every stream that is open, short ones too, at the goodbye of its session.
   */
  readonly onStream?: ((stream: ServerHttp2Stream, notice: DrainNotice) => unknown) | undefined
  /**
   * Says goodbye on a connection of a `node:tls` or `node:net` server. Without it the connection stays until the peer
   * closes it or the deadline comes.
   */
  readonly onRaw?: ((socket: Socket, notice: DrainNotice) => unknown) | undefined
}

/** Calls a hook of the application. One that fails is reported, and the drain goes on. */
export function callHook(name: string, logger: Logger, hook: () => unknown): void {
  const log = (error: unknown) => logger.error({ hook: name, err: error }, 'a drain hook failed')
  callUserCode('hook', `the drain hook ${name}`, hook, log)
}
