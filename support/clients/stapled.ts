import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

/** The result of a handshake of a client that requests an OCSP response. */
export interface Stapled {
  /** Fingerprint of the leaf. */
  readonly leaf: string | undefined
  /** The response, `null` without one. */
  readonly response: Buffer | null
}

/** A handshake that requests an OCSP response. */
export async function stapled(port: number, options: ConnectionOptions = {}): Promise<Stapled> {
  return await stapledOn(connect({ host: '127.0.0.1', port, ...asking(options) }))
}

/** The same over an open connection. */
export async function stapledOver(socket: NonNullable<ConnectionOptions['socket']>): Promise<Stapled> {
  return await stapledOn(connect({ socket, ...asking({}) }))
}

/** `requestOCSP` is documented, and missing in the types. */
function asking(options: ConnectionOptions): ConnectionOptions & { requestOCSP: true } {
  return { servername: 'localhost', rejectUnauthorized: false, requestOCSP: true, ...options }
}

/** Node emits the response before the handshake ends, and also reports a missing one. */
async function stapledOn(socket: TLSSocket): Promise<Stapled> {
  try {
    let response: Buffer | null = null
    socket.on('OCSPResponse', (given: Buffer | null) => {
      response = given && Buffer.from(given)
    })
    await once(socket, 'secureConnect')
    return { leaf: socket.getPeerX509Certificate()?.fingerprint256, response }
  } finally {
    socket.destroy()
  }
}

/** The digest of a response in the format of certificate facts. */
export function fingerprintOf(bytes: Uint8Array): string {
  const digits = createHash('sha256').update(bytes).digest('hex').toUpperCase()
  return digits.replaceAll(/..(?!$)/g, '$&:')
}
