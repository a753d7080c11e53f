import type { Socket } from 'node:net'

import type { Connection } from './connection.js'
import { HookedSocket } from './hooked-socket.js'
import { callHook } from './hooks.js'
import type { Surroundings } from './surroundings.js'

/** A connection of a plain `node:tls` or `node:net` server: the hook says goodbye, the peer goes when it likes. */
export function rawConnection(socket: Socket, around: Surroundings): Connection {
  const { hooks, logger } = around
  const { onRaw } = hooks
  return new HookedSocket(
    {
      protocol: 'raw',
      socket,
      goodbye: onRaw ? (notice) => callHook('onRaw', logger, () => onRaw(socket, notice)) : null,
      closeTimeoutMs: Number.POSITIVE_INFINITY,
    },
    around,
  )
}
