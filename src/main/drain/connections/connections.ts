import type { Socket } from 'node:net'

import { type Connection, type ConnectionCounts, countsOf, type Departure } from './connection.js'

/** Observer of {@link Connections}. */
export interface ConnectionsObserver {
  /** `instead` is the same connection under its previous protocol: a finished handshake, HTTP/1.1 before an upgrade. */
  joined(connection: Connection, instead: Connection | undefined): void
  left(connection: Connection, departure: Departure): void
}

/** All live connections of a drain, each exactly once. */
export class Connections {
  readonly #all = new Set<Connection>()
  readonly #bySocket = new WeakMap<Socket, Connection>()
  readonly #readers = new Set<ConnectionsObserver>()

  #arrivals = 0

  get size(): number {
    return this.#all.size
  }

  /** Number of connections accepted so far. */
  get arrivals(): number {
    return this.#arrivals
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values()
  }

  /** The connection of a socket, in its current protocol. */
  of(socket: Socket): Connection | undefined {
    return this.#bySocket.get(socket)
  }

  /** A known socket has changed its protocol, or was passed from one watched server to another: its entry is replaced. */
  add(connection: Connection, socket?: Socket, former?: Connection): void {
    const instead = former ?? (socket && this.#bySocket.get(socket))
    if (instead) {
      this.#all.delete(instead)
      instead.release()
    } else {
      this.#arrivals++
    }
    if (socket) this.#bySocket.set(socket, connection)
    this.#all.add(connection)
    for (const reader of [...this.#readers]) reader.joined(connection, instead)
  }

  drop(connection: Connection, departure: Departure): void {
    if (!this.#all.delete(connection)) return
    connection.release()
    for (const reader of [...this.#readers]) reader.left(connection, departure)
  }

  counts(): ConnectionCounts {
    return countsOf([...this.#all].map(({ facts }) => facts.protocol))
  }

  follow(reader: ConnectionsObserver): () => void {
    this.#readers.add(reader)
    return () => this.#readers.delete(reader)
  }

  /** Removes every connection from the set; the connections themselves stay open. */
  clear(): void {
    for (const connection of this.#all) connection.release()
    this.#all.clear()
  }
}
