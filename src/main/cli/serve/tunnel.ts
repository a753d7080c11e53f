import { connect, type Socket } from 'node:net'
import tls from 'node:tls'

import type { Logger } from '../../base/logger.js'
import type { UpstreamAddress } from './address.js'
import type { ServingEngine } from './answering-server.js'

/** Ends TLS and hands on what was in it, byte for byte and each way to its own end, to a service that knows no TLS. */
export function createTunnel(engine: ServingEngine, upstream: UpstreamAddress, logger: Logger): tls.Server {
  const server = tls.createServer(engine.serverOptions({ allowHalfOpen: true }), (client) => {
    const service = connect({ ...upstream, allowHalfOpen: true })
    service.once('error', ({ code }: NodeJS.ErrnoException) =>
      logger.warn({ upstream, code }, 'upstream failed'),
    )
    join(client, service)
    join(service, client)
  })
  // A peer that breaks off a handshake is its own affair.
  server.on('tlsClientError', () => {})
  return server
}

/** `pipe` hands on the bytes and the end; what breaks off on one side breaks off on the other. */
function join(from: Socket, to: Socket): void {
  from.setNoDelay(true)
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.once('close', (hadError) => {
    if (hadError || !from.readableEnded) to.destroy()
  })
}
