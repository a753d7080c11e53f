import { EventEmitter, on } from 'node:events'
import tls from 'node:tls'

import type { ServerMaterial } from '../clients/client-library.js'
import { listen, type Owner } from './echo-server.js'

/** A TLS server that requires a client certificate and then closes the connection, so that its client tries again. */
export interface HandshakeServer {
  readonly port: number
  /** Resolves with the serial of the client certificate of the next handshake that was not read yet. */
  next(): Promise<string>
}

export async function startHandshakes(
  t: Owner,
  { leaf, clientCa }: ServerMaterial,
): Promise<HandshakeServer> {
  const events = new EventEmitter()
  const handshakes = on(events, 'handshake')
  const options = { cert: leaf.chainPem, key: leaf.keyPem, ca: clientCa, requestCert: true }
  const server = tls.createServer(options, (socket) => {
    events.emit('handshake', socket.getPeerX509Certificate()?.serialNumber)
    socket.on('error', () => {}).end()
  })
  return {
    port: await listen(t, server),
    async next() {
      const { value } = (await handshakes.next()) as { readonly value: readonly [string] }
      return value[0]
    },
  }
}
