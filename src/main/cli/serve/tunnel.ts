import { connect, type Socket } from 'node:net'
import tls from 'node:tls'

import type { Logger } from '../../base/logger.js'
import type { UpstreamAddress } from './address.js'
import type { ServingEngine } from './answering-server.js'

/** Terminates TLS and forwards the decrypted bytes to a plain TCP service; each direction ends on its own. */
export function createTunnel(engine: ServingEngine, upstream: UpstreamAddress, logger: Logger): tls.Server {
  const server = tls.createServer(engine.serverOptions({ allowHalfOpen: true }), (client) => {
    // Node also calls this for a client that was refused at the end of its handshake.
    if (client.destroyed) return
    const service = connect({ ...upstream, allowHalfOpen: true })
    service.once('error', ({ code }: NodeJS.ErrnoException) =>
      logger.warn({ upstream, code }, 'upstream failed'),
    )
    join(client, service)
    join(service, client)
  })
  // Aborted handshakes need no handling.
  server.on('tlsClientError', () => {})
  return server
}

/** `pipe` forwards the bytes and the end; an abort of one side also aborts the other. */
function join(from: Socket, to: Socket): void {
  from.setNoDelay(true)
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.once('close', (hadError) => {
    if (hadError || !from.readableEnded) to.destroy()
  })
}
