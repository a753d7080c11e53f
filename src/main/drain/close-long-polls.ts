import type { IncomingMessage } from 'node:http'

import type { ResponseHook } from './connections/hooks.js'
import { DrainError } from './errors.js'

/** The part of an Engine.IO server that is needed. */
export interface EngineIoLike {
  /** Its clients themselves are in `clients`, by session ID, which its types do not publish. */
  readonly clientsCount: number
}

/** The part of a Socket.IO server that is needed; `engine` is there once it is attached to an HTTP server. */
export interface SocketIoLike {
  readonly engine: EngineIoLike
}

/** A client of an Engine.IO server. */
interface EngineClient {
  close(): void
  /** `dataReq` is the request that brings what the client sends, while there is one. */
  readonly transport?: { readonly dataReq?: IncomingMessage }
}

/**
 * An `onResponse` hook that ends the long polls of Socket.IO, which wait for up to 25 s otherwise: it closes the client
 * that polls, so that the client connects again, elsewhere. WebSockets of Socket.IO are closed by
 * {@link closeWebSockets}.
 *
 * @example
 * const drain = createDrain({
 *   servers: [server],
 *   onUpgrade: closeWebSockets(),
 *   onResponse: closeLongPolls(io),
 * })
 *
 * @param io a `Server` of Socket.IO, or of Engine.IO.
 * @throws DrainError `OPTIONS_INVALID`
 */
export function closeLongPolls(io: SocketIoLike | EngineIoLike): ResponseHook {
  assertSocketIo(io)
  return (_response, _notice, request) => {
    const client = clientOf(clientsOf(io), request.url)
    if (!client) return
    const incoming = client.transport?.dataReq
    // Engine.IO would cut off what the client is sending.
    if (incoming && !incoming.complete) incoming.once('end', () => setImmediate(() => client.close()))
    else client.close()
  }
}

/** The client of a request. Anybody may send any path and any session ID: `//` is no URL, `__proto__` is no client. */
function clientOf(clients: Readonly<Record<string, EngineClient>>, url = ''): EngineClient | undefined {
  const sessionId = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('sid')
  return sessionId !== null && Object.hasOwn(clients, sessionId) ? clients[sessionId] : undefined
}

function clientsOf(io: SocketIoLike | EngineIoLike): Readonly<Record<string, EngineClient>> {
  const engine: object | undefined = 'engine' in io ? io.engine : io
  const { clients } = (engine ?? {}) as { readonly clients?: Record<string, EngineClient> }
  if (clients) return clients
  throw new DrainError(
    'OPTIONS_INVALID',
    'closeLongPolls: the Socket.IO server has no `engine` with `clients`; attach it to an HTTP server',
  )
}

/** A Socket.IO server has its engine only once it is attached to an HTTP server. */
function assertSocketIo(io: unknown): void {
  const given = typeof io === 'object' && io !== null ? io : {}
  if ('clientsCount' in given || ('of' in given && 'attach' in given)) return
  throw new DrainError('OPTIONS_INVALID', 'closeLongPolls: expected a Server of Socket.IO or of Engine.IO')
}
