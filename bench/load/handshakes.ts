import {
  connect,
  createSecureContext,
  type SecureContext,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls'

import { sharedNowMs } from './now.js'

/** The kinds of handshakes. */
export const KINDS = ['1.3 full', '1.3 resumed', '1.2 full', '1.2 resumed'] as const
export type Kind = (typeof KINDS)[number]

export interface HandshakeOptions {
  readonly port: number
  readonly perSecond: number
  readonly kinds: readonly Kind[]
}

export interface HandshakeLog {
  /** Start since the beginning of the window, and duration since the time when it was due. */
  readonly taken: { readonly kind: Kind; readonly atMs: number; readonly tookMs: number }[]
  /** Codes of those that failed. */
  readonly failures: string[]
  /** Connections with a finished handshake but without a response. */
  unanswered: number
  /** Sessions that were offered, and those that the server did not resume. */
  offered: number
  lost: number
}

/**
 * New connections at a fixed rate, each with one request. An open loop: each connection starts when it is due, independent of
 * earlier ones, and its time counts from when it was due, so that a stall delays all connections due during it.
 */
export class Handshakes {
  readonly log: HandshakeLog = { taken: [], failures: [], unanswered: 0, offered: 0, lost: 0 }
  readonly #options: HandshakeOptions
  readonly #contexts: Record<string, SecureContext>
  readonly #sessions = new Map<Kind, Buffer>()
  readonly #open = new Set<Promise<void>>()
  #next = 0

  constructor(options: HandshakeOptions) {
    this.#options = options
    this.#contexts = { '1.2': contextOf('TLSv1.2'), '1.3': contextOf('TLSv1.3') }
  }

  /** Obtains a session for each kind that resumes one. */
  async prepare(): Promise<void> {
    for (const kind of this.#options.kinds.filter((kind) => kind.endsWith('resumed'))) {
      await this.#connect(kind, sharedNowMs(), () => {})
    }
  }

  /** Starts all connections due until `endMs`, and waits for them. */
  async run(startMs: number, endMs: number): Promise<void> {
    const intervalMs = 1000 / this.#options.perSecond
    for (let dueMs = startMs; dueMs < endMs; dueMs += intervalMs) {
      await until(dueMs)
      const { kinds } = this.#options
      const kind = kinds[this.#next++ % kinds.length] as Kind
      const done = this.#connect(kind, dueMs, (tookMs) => {
        this.log.taken.push({ kind, atMs: dueMs - startMs, tookMs })
      })
      this.#open.add(done)
      void done.then(() => this.#open.delete(done))
    }
    await Promise.all(this.#open)
  }

  #connect(kind: Kind, dueMs: number, took: (tookMs: number) => void): Promise<void> {
    const offered = kind.endsWith('resumed') ? this.#sessions.get(kind) : undefined
    const { promise, socket } = openConnection(this.#options.port, this.#contexts[kind.slice(0, 3)], offered)
    let shaken = false
    let answered = false
    socket.on('session', (session: Buffer) => {
      if (kind.endsWith('resumed')) this.#sessions.set(kind, session)
    })
    socket.on('secureConnect', () => {
      shaken = true
      took(sharedNowMs() - dueMs)
      if (offered) {
        this.log.offered += 1
        if (!socket.isSessionReused()) this.log.lost += 1
      }
      socket.write(REQUEST)
    })
    socket.on('data', () => {
      answered = true
      socket.end()
    })
    return promise.then((code) => {
      if (!shaken) this.log.failures.push(code ?? 'closed')
      else if (!answered) this.log.unanswered += 1
    })
  }
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

/** Milliseconds after which a connection counts as failed. */
const LIMIT_MS = 10_000

function openConnection(
  port: number,
  secureContext: SecureContext | undefined,
  session: Buffer | undefined,
): { socket: TLSSocket; promise: Promise<string | undefined> } {
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false },
    ...(secureContext ? { secureContext } : {}),
    ...(session ? { session } : {}),
  })
  let code: string | undefined
  const promise = new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })),
      LIMIT_MS,
    )
    socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(code)
    })
  })
  return { socket, promise }
}

function contextOf(version: SecureVersion): SecureContext {
  return createSecureContext({ ca: [], minVersion: version, maxVersion: version })
}

function until(dueMs: number): Promise<void> {
  const delayMs = dueMs - sharedNowMs()
  return new Promise((resolve) => (delayMs > 0 ? setTimeout(resolve, delayMs) : setImmediate(resolve)))
}
