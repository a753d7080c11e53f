import type { Socket } from 'node:net'
import type tls from 'node:tls'

/**
 * Counts the live connections of each generation. A connection belongs to the generation that was served when it was
 * accepted, because its handshake uses that certificate and trust.
 */
export class ConnectionGenerations {
  readonly #current: () => number
  readonly #counts = new Map<number, number>()
  /** By the key of {@link peerOf}, because a TLSSocket does not publish the socket that it wraps. */
  readonly #byPeer = new Map<string, number>()

  constructor(current: () => number) {
    this.#current = current
  }

  /** Counts the connections of a server from now on; returns a function that stops it. */
  follow(server: tls.Server): () => void {
    const accept = (socket: Socket) => this.#accept(socket)
    server.on('connection', accept)
    return () => server.off('connection', accept)
  }

  /** Live connections by generation number. */
  counts(): Record<number, number> {
    return Object.fromEntries(this.#counts)
  }

  /** The generation under which a connection was accepted; `undefined` if it was not seen. */
  generationOf(socket: Socket): number | undefined {
    const peer = peerOf(socket)
    return peer === null ? undefined : this.#byPeer.get(peer)
  }

  #accept(socket: Socket): void {
    const generation = this.#current()
    const peer = peerOf(socket)
    this.#add(generation, 1)
    if (peer !== null) this.#byPeer.set(peer, generation)
    socket.once('close', () => {
      this.#add(generation, -1)
      if (peer !== null) this.#byPeer.delete(peer)
    })
  }

  #add(generation: number, change: 1 | -1): void {
    const count = (this.#counts.get(generation) ?? 0) + change
    if (count === 0) this.#counts.delete(generation)
    else this.#counts.set(generation, count)
  }
}

/**
 * Key of a connection from both of its addresses, which is equal for its TLS socket and its raw socket. One client port may
 * have a connection to each address of the server. `null` for Unix sockets, which have no addresses.
 */
export function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | null {
  return remotePort === undefined ? null : `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
