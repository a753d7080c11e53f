import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import type { Connection } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { requestLine } from './facts.js'
import { HookedSocket } from './hooked-socket.js'

/**
 * What an upgrade (WebSocket) or CONNECT made of an HTTP/1.1 connection. After the hook's goodbye the peer has
 * `closeTimeoutMs` to answer it.
 */
export function upgradedConnection(
  request: IncomingMessage,
  stream: Duplex,
  context: DrainContext,
  ageMs: number,
): Connection {
  const { goodbyes, closeTimeoutMs } = context
  const of = { request: requestLine(request.method, request.url) }
  return new HookedSocket(
    {
      protocol: 'upgraded',
      // Node 26 hands out a wrapper while the body of the request is still arriving.
      socket: request.socket,
      stream,
      ageMs,
      hook: 'onUpgrade',
      goodbye: (notice, about) => goodbyes.say('onUpgrade', { ...about, ...of }, stream, notice, request),
      closeTimeoutMs,
    },
    context,
  )
}
