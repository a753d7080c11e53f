import { constants } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'

/*
 * Clients that stop in the middle of a handshake, as an attacker would before a change of trust, and a server that greets the
 * clients that it admits.
 */

/** `full` and `resumed` were admitted. */
export type Admission = 'full' | 'resumed' | 'refused'

export interface Outcome {
  readonly admission: Admission
  /** `socket.authorized` in the application of the server. */
  readonly authorized: boolean | undefined
  /** As sent on the wire; Node 24 prepends the server name, and offers the session to no other server. */
  readonly session: Buffer | undefined
}

export interface ClientOptions {
  readonly port: number
  readonly host?: string
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly session?: Buffer | undefined
  /** @defaultValue `'localhost'` */
  readonly servername?: string
  /** Offers a session by its ID only. */
  readonly withoutTickets?: boolean
  /** Whether the server issues TLS 1.3 tickets. @defaultValue `true` */
  readonly expectTicket?: boolean
}

/** A server that sends each client the identity that it sees, and nothing else. */
export function createGreeter(options: tls.TlsOptions): tls.Server {
  return tls.createServer(options, greet)
}

export function greet(socket: tls.TLSSocket): void {
  socket.on('error', () => {})
  socket.write(JSON.stringify({ authorized: socket.authorized }))
}

/** Connects and completes the handshake. */
export async function connectFully(options: ClientOptions): Promise<Outcome> {
  return await handshakeOn(net.connect({ host: '127.0.0.1', ...options }), options)
}

/** An accepted TCP connection on which no data has been sent yet. */
export async function openOnly(server: net.Server, options: ClientOptions): Promise<() => Promise<Outcome>> {
  const socket = net.connect({ host: '127.0.0.1', ...options })
  socket.on('error', () => {})
  await Promise.all([accepted(server, socket), once(socket, 'connect')])
  return () => handshakeOn(socket, options)
}

/** A handshake that stops before the client sends its certificate, or before the end of a resumption. */
export async function stopHalfWay(
  server: net.Server,
  options: ClientOptions,
): Promise<() => Promise<Outcome>> {
  const socket = net.connect({ host: '127.0.0.1', ...options })
  socket.on('error', () => {})
  await Promise.all([accepted(server, socket), once(socket, 'connect')])
  const held = new HeldStream(socket)
  const outcome = handshakeOn(held, options)
  await held.stopped
  return () => {
    held.goOn()
    return outcome
  }
}

function accepted(server: net.Server, client: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const look = (socket: net.Socket) => {
      if (socket.remotePort !== client.localPort) return
      server.off('connection', look)
      resolve()
    }
    server.on('connection', look)
  })
}

function handshakeOn(stream: Duplex, options: ClientOptions): Promise<Outcome> {
  // A closed stream has no more events.
  if (stream.destroyed) return Promise.resolve(REFUSED)
  const { version, servername = 'localhost', withoutTickets = false, cert, key, session } = options
  const socket = tls.connect({
    socket: stream,
    servername,
    minVersion: version,
    maxVersion: version,
    rejectUnauthorized: false,
    ...(withoutTickets ? { secureOptions: constants.SSL_OP_NO_TICKET } : {}),
    ...(cert === undefined ? {} : { cert, key }),
    ...(session === undefined ? {} : { session }),
  })
  return new Promise((resolve) => {
    let kept: Buffer | undefined
    let authorized: boolean | undefined
    const end = (admission: Admission) => {
      clearTimeout(timer)
      resolve({ admission, authorized, session: kept })
      socket.destroy()
      stream.destroy()
    }
    const seen = () => {
      const reused = socket.isSessionReused()
      // A TLS 1.3 session is usable once its ticket has arrived; a resumption gets no ticket.
      const ticketsCome = version === 'TLSv1.3' && !reused && options.expectTicket !== false
      if (authorized === undefined || (ticketsCome && !kept)) return
      const own = socket.getSession()
      kept ??= own && bareSession(own)
      end(reused ? 'resumed' : 'full')
    }
    const timer = setTimeout(() => end('refused'), 4_000)
    socket.on('session', (data: Buffer) => {
      kept = bareSession(data)
      seen()
    })
    socket.once('data', (data: Buffer) => {
      authorized = (JSON.parse(data.toString()) as { authorized: boolean }).authorized
      seen()
    })
    socket.once('error', () => end('refused'))
    socket.once('close', () => end('refused'))
    stream.once('close', () => end('refused'))
  })
}

const REFUSED: Outcome = { admission: 'refused', authorized: undefined, session: undefined }

const STATE_PREFIX = Buffer.from('\0nodejs:tls:session:1\0')

/** A session without the server name that newer versions of Node prepend: an attacker may offer it to any server. */
function bareSession(session: Buffer): Buffer {
  if (session.indexOf(STATE_PREFIX) !== 0) return session
  const at = STATE_PREFIX.length
  return session.subarray(at + 2 + session.readUInt16BE(at))
}

/** Forwards everything except the data that the client sends after the server's first response. */
class HeldStream extends Duplex {
  /** Resolves once data of the client is held back. */
  readonly stopped: Promise<void>
  readonly #socket: net.Socket
  #answered = false
  #held: Buffer[] | null = []
  #stop!: () => void

  constructor(socket: net.Socket) {
    super()
    this.#socket = socket
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve
    })
    socket.on('data', (data) => {
      this.#answered = true
      this.push(data)
    })
    socket.on('end', () => this.push(null))
    socket.on('close', () => {
      this.#stop()
      this.destroy()
    })
  }

  goOn(): void {
    for (const data of this.#held ?? []) this.#socket.write(data)
    this.#held = null
  }

  override _read(): void {}

  override _write(data: Buffer, _encoding: string, done: () => void): void {
    if (this.#answered && this.#held) {
      this.#held.push(data)
      this.#stop()
    } else {
      this.#socket.write(data)
    }
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
