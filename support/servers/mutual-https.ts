import https from 'node:https'
import type { TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'

import type { LibraryServer, Seen, ServerMaterial } from '../clients/client-library.js'
import { listen } from './echo-server.js'

/** An HTTPS server that requires a client certificate. It answers each piece of a request's body with a line: a `Seen`. */
export async function startMutualHttps(
  t: TestContext,
  { leaf, clientCa }: ServerMaterial,
): Promise<LibraryServer> {
  const materialOf = ({ chainPem, keyPem }: typeof leaf) => ({ cert: chainPem, key: keyPem, ca: clientCa })
  const server = https.createServer({ ...materialOf(leaf), requestCert: true }, (request, response) => {
    response.flushHeaders()
    request.on('data', () => response.write(`${JSON.stringify(seenBy(request.socket as TLSSocket))}\n`))
    request.on('end', () => response.end())
    // A client that ends while its request is in progress.
    request.on('error', () => response.destroy())
  })
  return {
    port: await listen(t, server),
    async renew(next) {
      server.setSecureContext(materialOf(next))
    },
  }
}

function seenBy(socket: TLSSocket): Seen {
  const serial = socket.getPeerX509Certificate()?.serialNumber
  if (serial === undefined) throw new Error('the client showed no certificate')
  return { serial, connection: String(socket.remotePort) }
}
