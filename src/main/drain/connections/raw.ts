import type { Socket } from 'node:net'

import { type HandedOn, whenHandedOn } from '../handed-on.js'
import type { Connection } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { HookedSocket } from './hooked-socket.js'

/**
 * A connection of a plain `node:tls` or `node:net` server: the hook starts the close, and no time limit but the deadline
 * applies.
 *
 * @param handedOn called when the application passes the socket to an HTTP server, which replaces this connection.
 */
export function rawConnection(
  socket: Socket,
  context: DrainContext,
  handedOn: (to: HandedOn) => void,
): Connection {
  const { hooks } = context
  return new HookedSocket(
    {
      protocol: 'raw',
      socket,
      hook: 'onRaw',
      callHooks: (notice, about) => hooks.call('onRaw', about, socket, notice),
      closeTimeoutMs: Number.POSITIVE_INFINITY,
      released: whenHandedOn(socket, handedOn),
    },
    context,
  )
}
