import type { Socket } from 'node:net'

/** How many connections there may be at a time. */
export interface ShareLimits {
  /** Connections of clients that have not yet shown that they may ask: the oldest one is closed to make room for the next. */
  readonly strangers: number
  /** Connections of clients that have: one more is closed at once. */
  readonly known: number
}

/** Turns of the event loop after which what a client sent along with its connection has been read. */
const TURNS_TO_READ = 2

/**
 * Divides the connections of a server between clients that have shown that they may ask, and strangers. Strangers, however
 * many they are, take no place of the known clients, and every new connection is accepted and read.
 */
export class ConnectionShares {
  readonly #limits: ShareLimits
  /** In the order of their arrival, with the turn of the event loop in which each arrived. */
  readonly #strangers = new Map<Socket, number>()
  readonly #known = new Set<Socket>()
  #turn = 0
  #counting = false

  constructor(limits: ShareLimits) {
    this.#limits = limits
  }

  /** Takes in a new connection, as that of a stranger. */
  admit(socket: Socket): void {
    this.#strangers.set(socket, this.#turn)
    socket.once('close', () => {
      this.#strangers.delete(socket)
      this.#known.delete(socket)
    })
    // Not even its first bytes have been read, so the one that comes now may be the one to keep.
    if (this.#strangers.size > this.#limits.strangers) this.#countTurns()
    if (this.#strangers.size > 2 * this.#limits.strangers) this.#closeOldest()
  }

  /** Its client has shown that it may ask. `false`: there are too many of these already, and it is closed. */
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

  /** Only while there are too many: an idle server has no work of its own. */
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
