import type { TestContext } from 'node:test'

import type { ReloadEngine } from '../../src/main/index.js'
import type { Leaf } from '../material/certificates.js'

/* What the tests of client libraries need of a library and of the real server that it talks to. */

export interface ClientLibrary {
  /** As in package.json. */
  readonly name: string
  /** Why its server cannot run here, else `false`. */
  readonly without: string | false
  /** Starts a server that requires a client certificate, until the end of the test. */
  startServer(t: TestContext, material: ServerMaterial): Promise<LibraryServer>
  /** Opens the library's client or pool as its example does, at `localhost`. */
  open(engine: ReloadEngine, port: number): Promise<LibraryClient>
  /**
   * Whether the common name of each client certificate is its serial, for servers that report names alone.
   * @defaultValue the common name is `app`
   */
  readonly serialAsName?: boolean
  /** What the error of a client that does not trust the server contains; matched with `inspect`. */
  readonly refusal?: RegExp
}

export interface ServerMaterial {
  readonly leaf: Leaf
  /** PEM of the CA of the clients. */
  readonly clientCa: string
}

export interface LibraryServer {
  readonly port: number
  /** Shows another certificate to the next connections; those that are open stay open. */
  renew(leaf: Leaf): Promise<void>
}

/** One client or pool. */
export interface LibraryClient {
  /** A query, a message or a request, with the connections of the pool. */
  query(): Promise<Seen>
  /** Another connection, made now and with the same options object. */
  connect(): Promise<LibraryConnection>
  /** Drops the connections to peers that are no longer trusted, as the example does; queries in flight finish. */
  retire(): Promise<void> | void
  close(): Promise<void>
}

/** A connection that stays open until it is closed. */
export interface LibraryConnection {
  query(): Promise<Seen>
  close(): Promise<void> | void
}

export interface Seen {
  /**
   * The client certificate of the connection that was used, as `X509Certificate#serialNumber`: as the server reports it, or
   * the local certificate of the socket if the server cannot be asked.
   */
  readonly serial: string
  /** Identifies that connection. */
  readonly connection: string
}

/** The notation of `X509Certificate#serialNumber` for a serial that a server reports in decimal. */
export function serialOf(decimal: string): string {
  const hex = BigInt(decimal).toString(16).toUpperCase()
  return hex.padStart(hex.length + (hex.length % 2), '0')
}
