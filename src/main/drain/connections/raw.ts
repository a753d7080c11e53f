import type { Socket } from 'node:net'

import { type HandedOn, whenHandedOn } from '../handed-on.js'
import type { Connection } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { HookedSocket } from './hooked-socket.js'

/**
 * A connection of a plain `node:tls` or `node:net` server: the hook says goodbye, and the peer decides when to close.
 *
 * @param handedOn called when the application gives the socket to an HTTP server, which makes it another connection.
 */
export function rawConnection(
  socket: Socket,
  context: DrainContext,
  handedOn: (to: HandedOn) => void,
): Connection {
  const { goodbyes } = context
  return new HookedSocket(
    {
      protocol: 'raw',
      socket,
      hook: 'onRaw',
      goodbye: (notice, about) => goodbyes.say('onRaw', about, socket, notice),
      closeTimeoutMs: Number.POSITIVE_INFINITY,
      released: whenHandedOn(socket, handedOn),
    },
    context,
  )
}
