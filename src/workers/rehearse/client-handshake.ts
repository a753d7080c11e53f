import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import { lenientCiphers } from '../base/runtimes.js'
import { type HandshakeResult, LIMIT_MS, type RehearsingClient, reasonOf } from './memory-handshake.js'
import { withoutPrintedPeer } from './rehearsing-client.js'

/** The pair that is rehearsed. */
interface ClientPair {
  readonly chain: string
  readonly key: Buffer
}

/**
 * A full handshake in memory in which the pair is shown by the client. The server trusts the root at the end of its chain, if there
 * is one: a server of Node verifies by roots only. It shows the same pair, which the client does not verify. It never rejects.
 */
export function clientHandshake(
  secureContext: tls.SecureContext,
  { chain, key }: ClientPair,
  { version, anchor }: Pick<RehearsingClient, 'version' | 'anchor'>,
): Promise<HandshakeResult> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    const server = tls.createServer({
      ...{ cert: chain, key, minVersion: version, maxVersion: version, requestCert: true },
      ...{ ca: anchor ?? [], rejectUnauthorized: false },
      // A weak signature is reported under its own code.
      ciphers: lenientCiphers('ALL'),
    })
    let reason: string | undefined
    const finish = (result: HandshakeResult) => {
      clearTimeout(timer)
      near.destroy()
      client.destroy()
      resolve(result)
    }
    const timer = setTimeout(finish, LIMIT_MS, { failure: `it did not end within ${LIMIT_MS} ms` })
    server.on('tlsClientError', (error) => {
      reason = reasonOf(error)
    })
    // In TLS 1.3, the client is ready before the server has verified it.
    server.on('secureConnection', (peer) => {
      const { authorized, authorizationError } = peer
      finish(authorized || anchor === null ? {} : { unverified: String(authorizationError) })
    })
    server.emit('connection', near)
    const client = tls.connect({ socket: far, secureContext, rejectUnauthorized: false })
    withoutPrintedPeer(client)
    client.on('error', (error) => setImmediate(() => finish({ failure: reason ?? reasonOf(error) })))
  })
}
