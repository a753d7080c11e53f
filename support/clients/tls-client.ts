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
  /** Empty for a client that names no server. @defaultValue `'localhost'` */
  readonly servername?: string
  readonly alpn?: string[] | undefined
  /**
   * Waits for one answer. A Node server judges a client certificate after the handshake, so only an answer proves that
   * the client was let in. The server must echo, or speak HTTP/1.1 or HTTP/2.
   */
  readonly confirm?: boolean | undefined
  /** In TLS 1.3 the session arrives after the handshake; `false` where no tickets are issued. @defaultValue true */
  readonly waitForSession?: boolean | undefined
  /** Leaves the connection open until `close()`. */
  readonly keepOpen?: boolean | undefined
  /** Is given the socket before anything happens on it. */
  readonly onSocket?: ((socket: TLSSocket) => void) | undefined
  /** @defaultValue 5000 */
  readonly timeoutMs?: number | undefined
}

export interface Handshake {
  /** Of the certificate that the server sent; a resumed handshake sends none. */
  readonly fingerprint256: string | undefined
  /** Of the certificates that were sent behind it, in their order as far as each issued the one before. */
  readonly issuers: readonly string[]
  /** Whether this client trusts the server; if not, the handshake goes on and `authorizationError` says why. */
  readonly authorized: boolean
  readonly authorizationError: string | undefined
  readonly protocol: string | null
  readonly alpn: string | false | null
  readonly reused: boolean
  readonly session: Buffer | undefined
  /** What came first, where one waited for it with `confirm`. */
  readonly answer: string | undefined
  readonly socket: TLSSocket
  close(): Promise<void>
}

/** Of a handshake that failed. */
export interface HandshakeError extends Error {
  readonly code: string
  /** Of this side; `undefined` where there was no connection at all. */
  readonly localPort: number | undefined
}

/** One TLS handshake. It rejects with a {@link HandshakeError}, and unless `keepOpen` it leaves nothing open. */
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
    // Node holds back what is written from within a session's arrival until something else happens.
    await turn()
    if (keepOpen !== true) await result.close()
    return result
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** Waits until the handshake, and what else was asked for, has happened. */
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
      // A resumed handshake brings no new ticket: Node's servers do not renew them.
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
