import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import type { Connection } from './connection.js'
import { HookedSocket } from './hooked-socket.js'
import { callHook } from './hooks.js'
import type { Surroundings } from './surroundings.js'

/**
 * What an upgrade (WebSocket) or CONNECT made of an HTTP/1.1 connection. After the hook's goodbye the peer has
 * `closeTimeoutMs` to answer it.
 */
export function upgradedConnection(
  request: IncomingMessage,
  stream: Duplex,
  around: Surroundings,
  ageMs: number,
): Connection {
  const { hooks, logger, closeTimeoutMs } = around
  const { onUpgrade } = hooks
  return new HookedSocket(
    {
      protocol: 'upgraded',
      // Node 26 hands out a wrapper while the body of the request is still arriving.
      socket: request.socket,
      stream,
      ageMs,
      goodbye: onUpgrade
        ? (notice) => callHook('onUpgrade', logger, () => onUpgrade(stream, notice, request))
        : null,
      closeTimeoutMs,
    },
    around,
  )
}
