import { connect, type TLSSocket } from 'node:tls'

import { sharedNowMs } from './now.js'

export interface KeepAliveOptions {
  readonly port: number
  readonly connections: number
  /** Pause between a response and the next request. */
  readonly pauseMs: number
}

export interface KeepAliveLog {
  readonly taken: { readonly atMs: number; readonly tookMs: number }[]
  /** Requests without a response. */
  failed: number
  /** Connections that ended before the end of the window. */
  closed: number
}

/** Keep-alive connections, each with one request at a time. A connection that ends is reopened. */
export class KeepAlive {
  readonly log: KeepAliveLog = { taken: [], failed: 0, closed: 0 }
  readonly #options: KeepAliveOptions
  readonly #sockets = new Set<TLSSocket>()
  #startMs = Number.POSITIVE_INFINITY
  #ending = false

  constructor(options: KeepAliveOptions) {
    this.#options = options
  }

  async prepare(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.connections }, () => this.#open()))
  }

  /** Requests before this time are not counted. */
  begin(startMs: number): void {
    this.#startMs = startMs
  }

  end(): void {
    this.#ending = true
    for (const socket of this.#sockets) socket.destroy()
  }

  #open(): Promise<void> {
    const socket = connect({
      ...{ port: this.#options.port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false },
    })
    this.#sockets.add(socket)
    let sentMs = 0
    let waiting = false
    let established = false
    const ask = () => {
      if (this.#ending || socket.destroyed) return
      sentMs = sharedNowMs()
      waiting = true
      socket.write(REQUEST)
    }
    socket.on('data', () => {
      if (!waiting) return
      waiting = false
      const atMs = sentMs - this.#startMs
      if (atMs >= 0) this.log.taken.push({ atMs, tookMs: sharedNowMs() - sentMs })
      setTimeout(ask, this.#options.pauseMs)
    })
    socket.on('error', () => {})
    return new Promise((resolve) => {
      socket.on('secureConnect', () => {
        established = true
        ask()
        resolve()
      })
      socket.on('close', () => {
        this.#sockets.delete(socket)
        if (this.#ending) return
        if (established) this.log.closed += 1
        if (waiting) this.log.failed += 1
        setTimeout(() => !this.#ending && void this.#open(), REOPEN_MS)
        resolve()
      })
    })
  }
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
const REOPEN_MS = 20
