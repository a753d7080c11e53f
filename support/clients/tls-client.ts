import type { X509Certificate } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect } from 'node:tls'

type ClientOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'session' | 'minVersion' | 'maxVersion' | 'ciphers' | 'sigalgs' | 'ecdhCurve'
>

export interface HandshakeOptions extends ClientOptions {
  readonly port: number
  /** @defaultValue `'127.0.0.1'` */
  readonly host?: string
  /** Empty for a client without SNI. @defaultValue `'localhost'` */
  readonly servername?: string
  readonly alpn?: string[] | undefined
  /**
   * Waits for one response. A Node server verifies a client certificate after the client's handshake, so only a response
   * proves that the client was admitted. The server must echo, or speak HTTP/1.1 or HTTP/2.
   */
  readonly confirm?: boolean | undefined
  /** Waits for the TLS 1.3 session after the handshake; `false` if no tickets are issued. @defaultValue true */
  readonly waitForSession?: boolean | undefined
  /** Keeps the connection open until `close()`. */
  readonly keepOpen?: boolean | undefined
  /** Called with the socket before it connects. */
  readonly onSocket?: ((socket: TLSSocket) => void) | undefined
  /** @defaultValue 5000 */
  readonly timeoutMs?: number | undefined
}

export interface Handshake {
  /** Fingerprint of the server's certificate; a resumed handshake has none. */
  readonly fingerprint256: string | undefined
  /** Fingerprints of the issuers sent with it, in order, as long as each issued the previous one. */
  readonly issuers: readonly string[]
  /** Whether this client trusts the server; if not, the handshake continues and `authorizationError` has the reason. */
  readonly authorized: boolean
  readonly authorizationError: string | undefined
  readonly protocol: string | null
  readonly alpn: string | false | null
  readonly reused: boolean
  readonly session: Buffer | undefined
  /** The first response, with `confirm`. */
  readonly answer: string | undefined
  readonly socket: TLSSocket
  close(): Promise<void>
}

/** The error of a failed handshake. */
export interface HandshakeError extends Error {
  readonly code: string
  /** Port of this side; `undefined` if there was no connection. */
  readonly localPort: number | undefined
}

/** One TLS handshake. Rejects with a {@link HandshakeError}; unless `keepOpen`, the connection is closed afterwards. */
export async function handshake(options: HandshakeOptions): Promise<Handshake> {
  const { alpn, confirm, waitForSession, keepOpen, onSocket, timeoutMs, ...client } = options
  const socket = connect({
    host: '127.0.0.1',
    servername: 'localhost',
    ...client,
    ALPNProtocols: alpn,
    rejectUnauthorized: false,
  })
  onSocket?.(socket)
  const seen: Seen = { ticket: undefined, answer: undefined }
  socket.on('session', (session: Buffer) => {
    seen.ticket = session
  })
  socket.once('data', (data: Buffer) => {
    seen.answer = data.toString()
  })
  try {
    await allSeen(socket, { confirm, waitForSession, timeoutMs })
    const result = describe(socket, seen)
    // Data written in the `session` event is only sent with the next activity of the socket.
    await turn()
    if (keepOpen !== true) await result.close()
    return result
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** Waits for the handshake and the other requested events. */
function allSeen(
  socket: TLSSocket,
  { confirm = false, waitForSession = true, timeoutMs = 5000 }: Omit<HandshakeOptions, 'port'>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const awaited = new Set(['secureConnect'])
    if (waitForSession) awaited.add('session')
    if (confirm) awaited.add('data')

    let localPort: number | undefined
    const fail = (code: string, message: string): void => {
      clearTimeout(timer)
      reject(Object.assign(new Error(message), { code, localPort }) satisfies HandshakeError)
    }
    const seen = (event: string): void => {
      awaited.delete(event)
      if (awaited.size > 0) return
      clearTimeout(timer)
      resolve()
    }
    const unseen = (): string => [...awaited].map((event) => `no ${event}`).join(', ')
    const timer = setTimeout(() => fail('ETIMEDOUT', `${unseen()} within ${timeoutMs} ms`), timeoutMs)

    socket.on('connect', () => {
      localPort = socket.localPort
    })
    socket.on('secureConnect', () => {
      // A resumed handshake gets no new ticket: Node servers do not renew them.
      if (socket.getProtocol() !== 'TLSv1.3' || socket.isSessionReused()) awaited.delete('session')
      if (confirm) socket.write(socket.alpnProtocol === 'h2' ? http2Greeting : http1Request)
      seen('secureConnect')
    })
    socket.on('session', () => seen('session'))
    socket.on('data', () => seen('data'))
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'UNKNOWN', error.message))
    socket.on('close', () => fail('ECONNRESET', `the server closed the connection: ${unseen()}`))
  })
}

const http1Request = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const http2Greeting = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')

interface Seen {
  ticket: Buffer | undefined
  answer: string | undefined
}

function describe(socket: TLSSocket, { ticket, answer }: Seen): Handshake {
  const certificate = socket.getPeerX509Certificate()
  return {
    fingerprint256: certificate?.fingerprint256,
    issuers: issuersOf(certificate),
    authorized: socket.authorized,
    authorizationError: socket.authorized ? undefined : String(socket.authorizationError),
    protocol: socket.getProtocol(),
    alpn: socket.alpnProtocol,
    reused: socket.isSessionReused(),
    session: ticket ?? socket.getSession(),
    answer,
    socket,
    close: () => closed(socket),
  }
}

function issuersOf(certificate: X509Certificate | undefined): string[] {
  const issuer = certificate?.issuerCertificate
  return issuer ? [issuer.fingerprint256, ...issuersOf(issuer)] : []
}

function closed(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve()
    socket.once('close', () => resolve())
    socket.destroySoon()
  })
}
