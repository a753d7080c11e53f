import type { IncomingMessage } from 'node:http'

import type { ResponseHook } from './connections/hooks.js'
import { DrainError } from './errors.js'

/** The part of an Engine.IO server that {@link closeLongPolls} uses. */
export interface EngineIoLike {
  /** The clients are in `clients`, by session ID; that field is missing in the types of Engine.IO. */
  readonly clientsCount: number
}

/** The part of a Socket.IO server that {@link closeLongPolls} uses; `engine` is set once it is attached to an HTTP server. */
export interface SocketIoLike {
  readonly engine: EngineIoLike
}

/** A client of an Engine.IO server. */
interface EngineClient {
  close(): void
  /** `dataReq` is the current request that carries data from the client, if any. */
  readonly transport?: { readonly dataReq?: IncomingMessage }
}

/**
 * An `onResponse` hook that ends the long polls of Socket.IO, which otherwise wait for up to 25 s: it closes the polling
 * client, which then reconnects elsewhere. {@link closeWebSockets} closes the WebSockets of Socket.IO.
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
    // Closing earlier makes Engine.IO abort the upload of the client.
    if (incoming && !incoming.complete) incoming.once('end', () => setImmediate(() => client.close()))
    else client.close()
  }
}

/** The client of a request. Path and session ID are untrusted input: `//` is not a URL, `__proto__` is not a client. */
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

/** Does not require `engine`, which a Socket.IO server gets only when it is attached to an HTTP server. */
function assertSocketIo(io: unknown): void {
  const given = typeof io === 'object' && io !== null ? io : {}
  if ('clientsCount' in given || ('of' in given && 'attach' in given)) return
  throw new DrainError('OPTIONS_INVALID', 'closeLongPolls: expected a Server of Socket.IO or of Engine.IO')
}
