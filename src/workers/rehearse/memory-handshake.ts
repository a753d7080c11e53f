import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import { clientContext, withoutPrintedPeer } from './rehearsing-client.js'

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** A handshake in memory takes a few milliseconds; longer is a failure. */
export const LIMIT_MS = 2_000

/** The client of one handshake. */
export interface RehearsingClient {
  readonly version: TlsVersion
  /** PEM of the trusted certificate; `null` for a client that does not verify. */
  readonly anchor: string | null
  readonly servername: string | undefined
}

export interface HandshakeResult {
  /** Why there was no handshake, in words. */
  readonly failure?: string
  /** Why the client would reject the chain: a code of OpenSSL's verification. */
  readonly unverified?: string
}

/** A full handshake in memory. It never rejects. */
export function handshake(
  secureContext: tls.SecureContext,
  { version, anchor, servername }: RehearsingClient,
  requestCert: boolean,
): Promise<HandshakeResult> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    const server = new tls.TLSSocket(near, {
      isServer: true,
      secureContext,
      requestCert,
      rejectUnauthorized: false,
    })
    const client = tls.connect({
      socket: far,
      ...(servername === undefined ? {} : { servername }),
      secureContext: clientContext(version, anchor),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    withoutPrintedPeer(client)
    let reason: string | undefined
    const finish = (result: HandshakeResult) => {
      clearTimeout(timer)
      server.destroy()
      client.destroy()
      resolve(result)
    }
    const timer = setTimeout(finish, LIMIT_MS, { failure: `it did not end within ${LIMIT_MS} ms` })
    server.on('error', (error) => {
      reason = reasonOf(error)
    })
    // The server's reason is more specific than the client's alert and arrives in the same turn.
    client.on('error', (error) => setImmediate(() => finish({ failure: reason ?? reasonOf(error) })))
    client.on('secureConnect', () => {
      const unverified = client.authorized || anchor === null ? null : String(client.authorizationError)
      finish(unverified ? { unverified } : {})
    })
  })
}

/** OpenSSL's reason in words, from `error:0A000076:SSL routines::no suitable signature algorithm` and the like. */
export function reasonOf(error: Error & { code?: string; reason?: string }): string {
  // With this code, only Node's message has the reason; it quotes no input.
  if (error.code === 'ERR_CRYPTO_OPERATION_FAILED') return error.message
  return error.reason ?? (error.code ? inWords(error.code) : 'unknown reason')
}

/** `ERR_SSL_NO_SHARED_CIPHER` -> `no shared cipher`. */
export function inWords(code: string): string {
  return code
    .replace(/^ERR_(SSL|OSSL)_/, '')
    .replaceAll('_', ' ')
    .toLowerCase()
}
