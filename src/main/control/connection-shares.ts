import type { Socket } from 'node:net'

/** Most simultaneous connections. */
export interface ShareLimits {
  /** Connections of clients that are not authorized yet; beyond the limit, the oldest one is closed. */
  readonly unauthorized: number
  /** Connections of authorized clients; beyond the limit, the new one is closed. */
  readonly authorized: number
}

/** Turns of the event loop after which the data that a client sent with its connection has been read. */
const TURNS_TO_READ = 2

/**
 * Divides the connections of a server into those of authorized clients and of others, each with its own limit. Any
 * number of unauthorized clients never displaces authorized ones, and every new connection is accepted and read.
 */
export class ConnectionShares {
  readonly #limits: ShareLimits
  /** In order of arrival, with the turn of the event loop in which each arrived. */
  readonly #unauthorized = new Map<Socket, number>()
  readonly #authorized = new Set<Socket>()
  #turn = 0
  #counting = false

  constructor(limits: ShareLimits) {
    this.#limits = limits
  }

  /** Adds a new connection, which is not authorized yet. */
  admit(socket: Socket): void {
    this.#unauthorized.set(socket, this.#turn)
    socket.once('close', () => {
      this.#unauthorized.delete(socket)
      this.#authorized.delete(socket)
    })
    // Older connections may be authorized by bytes that are not read yet, so they are not closed at once.
    if (this.#unauthorized.size > this.#limits.unauthorized) this.#countTurns()
    if (this.#unauthorized.size > 2 * this.#limits.unauthorized) this.#closeOldest()
  }

  /** Marks the client as authorized. Returns `false`, and closes the connection, if there are too many already. */
  markAuthorized(socket: Socket): boolean {
    if (this.#authorized.has(socket)) return true
    if (!this.#unauthorized.delete(socket)) return false
    if (this.#authorized.size >= this.#limits.authorized) {
      socket.destroy()
      return false
    }
    this.#authorized.add(socket)
    return true
  }

  isAuthorized(socket: Socket): boolean {
    return this.#authorized.has(socket)
  }

  /** Runs only while there are too many unauthorized connections, so that an idle server does no work. */
  #countTurns(): void {
    if (this.#counting) return
    this.#counting = true
    setImmediate(() => {
      this.#counting = false
      this.#turn++
      for (const turn of this.#unauthorized.values()) {
        if (this.#unauthorized.size <= this.#limits.unauthorized || this.#turn - turn < TURNS_TO_READ) break
        this.#closeOldest()
      }
      if (this.#unauthorized.size > this.#limits.unauthorized) this.#countTurns()
    })
  }

  #closeOldest(): void {
    const [oldest] = this.#unauthorized.keys()
    if (!oldest) return
    this.#unauthorized.delete(oldest)
    oldest.destroy()
  }
}
