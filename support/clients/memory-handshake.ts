import { duplexPair } from 'node:stream'
import tls from 'node:tls'

export interface MemoryHandshake {
  readonly fingerprint256: string | undefined
  /** Why the client does not trust the server; `undefined` if it does. */
  readonly verifyError: string | undefined
}

/** A full handshake with a server of these options in memory; rejects if it fails. */
export function handshakeInMemory(
  server: tls.SecureContextOptions,
  client: tls.SecureContextOptions,
): Promise<MemoryHandshake> {
  return new Promise((resolve, reject) => {
    const [near, far] = duplexPair()
    const secureContext = tls.createSecureContext(server)
    const serving = new tls.TLSSocket(near, { isServer: true, secureContext })
    const calling = tls.connect({
      socket: far,
      secureContext: tls.createSecureContext(client),
      servername: 'localhost',
      rejectUnauthorized: false,
    })
    const end = (): void => {
      serving.destroy()
      calling.destroy()
    }
    const fail = (error: Error): void => {
      end()
      reject(error)
    }
    serving.on('error', fail)
    calling.on('error', fail)
    calling.on('secureConnect', () => {
      const fingerprint256 = calling.getPeerX509Certificate()?.fingerprint256
      const verifyError = calling.authorized ? undefined : String(calling.authorizationError)
      end()
      resolve({ fingerprint256, verifyError })
    })
  })
}
