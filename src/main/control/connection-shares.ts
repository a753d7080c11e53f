import type { Socket } from 'node:net'

/** Most simultaneous connections. */
export interface ShareLimits {
  /** Connections of clients that are not authorized yet; beyond the limit, the oldest one is closed. */
  readonly strangers: number
  /** Connections of authorized clients; beyond the limit, the new one is closed. */
  readonly known: number
}

/** Turns of the event loop after which the data that a client sent with its connection has been read. */
const TURNS_TO_READ = 2

/**
 * Divides the connections of a server into those of authorized (known) clients and strangers, each with its own limit.
 * Strangers, however many, never displace known clients, and every new connection is accepted and read.
 */
export class ConnectionShares {
  readonly #limits: ShareLimits
  /** In order of arrival, with the turn of the event loop in which each arrived. */
  readonly #strangers = new Map<Socket, number>()
  readonly #known = new Set<Socket>()
  #turn = 0
  #counting = false

  constructor(limits: ShareLimits) {
    this.#limits = limits
  }

  /** Adds a new connection as a stranger. */
  admit(socket: Socket): void {
    this.#strangers.set(socket, this.#turn)
    socket.once('close', () => {
      this.#strangers.delete(socket)
      this.#known.delete(socket)
    })
    // Older strangers may be authorized by bytes that are not read yet, so they are not closed at once.
    if (this.#strangers.size > this.#limits.strangers) this.#countTurns()
    if (this.#strangers.size > 2 * this.#limits.strangers) this.#closeOldest()
  }

  /** Marks the client as authorized. Returns `false`, and closes the connection, if there are too many already. */
  know(socket: Socket): boolean {
    if (this.#known.has(socket)) return true
    if (!this.#strangers.delete(socket)) return false
    if (this.#known.size >= this.#limits.known) {
      socket.destroy()
      return false
    }
    this.#known.add(socket)
    return true
  }

  knows(socket: Socket): boolean {
    return this.#known.has(socket)
  }

  /** Runs only while there are too many strangers, so that an idle server does no work. */
  #countTurns(): void {
    if (this.#counting) return
    this.#counting = true
    setImmediate(() => {
      this.#counting = false
      this.#turn++
      for (const turn of this.#strangers.values()) {
        if (this.#strangers.size <= this.#limits.strangers || this.#turn - turn < TURNS_TO_READ) break
        this.#closeOldest()
      }
      if (this.#strangers.size > this.#limits.strangers) this.#countTurns()
    })
  }

  #closeOldest(): void {
    const [oldest] = this.#strangers.keys()
    if (!oldest) return
    this.#strangers.delete(oldest)
    oldest.destroy()
  }
}
