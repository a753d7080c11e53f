import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import type { Connection } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { requestLine } from './facts.js'
import { HookedSocket } from './hooked-socket.js'

/**
 * An HTTP/1.1 connection after an upgrade (WebSocket) or CONNECT. After the hook has run, the peer has `closeTimeoutMs` to
 * close it.
 */
export function upgradedConnection(
  request: IncomingMessage,
  stream: Duplex,
  context: DrainContext,
  ageMs: number,
): Connection {
  const { hooks, closeTimeoutMs } = context
  const of = { request: requestLine(request.method, request.url) }
  return new HookedSocket(
    {
      protocol: 'upgraded',
      // Not `stream`: Node 26 passes a wrapper while the request body is still arriving.
      socket: request.socket,
      stream,
      ageMs,
      hook: 'onUpgrade',
      callHooks: (notice, about) => hooks.call('onUpgrade', { ...about, ...of }, stream, notice, request),
      closeTimeoutMs,
    },
    context,
  )
}
