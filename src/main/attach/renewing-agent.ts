import https from 'node:https'
import type { Duplex } from 'node:stream'
import type tls from 'node:tls'

/** The context for outgoing connections of the current generation. */
export interface ClientIdentity {
  readonly generation: number
  readonly secureContext: tls.SecureContext
}

/**
 * An agent whose new connections use the client certificate and the CAs of the current generation. A connection of an
 * earlier generation finishes its request and is not reused. No TLS session is resumed across generations, because it would
 * restore the old identity.
 */
export class RenewingAgent extends https.Agent {
  readonly #current: () => ClientIdentity
  /** By connection, and by the request options that Node passes to `getName` again when the connection becomes free. */
  readonly #generations = new WeakMap<object, number>()

  constructor(options: https.AgentOptions, current: () => ClientIdentity) {
    super(options)
    this.#current = current
  }

  /** Node keys pooled sockets and cached sessions by this name. */
  override getName(options: https.RequestOptions = {}): string {
    const generation = this.#generations.get(options) ?? this.#current().generation
    return `${super.getName(options)}:generation-${generation}`
  }

  override createConnection(
    options: https.RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { generation, secureContext } = this.#current()
    const socket = super.createConnection({ ...options, secureContext } as https.RequestOptions, callback)
    for (const key of [options, socket]) if (key) this.#generations.set(key, generation)
    return socket
  }

  /** Node calls it when a connection becomes free. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#generations.get(socket) !== this.#current().generation) return false
    const keeps: unknown = super.keepSocketAlive(socket)
    return keeps === true
  }

  /** Closes the idle connections of earlier generations. */
  retireIdle(): void {
    const current = `:generation-${this.#current().generation}`
    for (const [name, sockets] of Object.entries(this.freeSockets)) {
      if (!name.endsWith(current)) for (const socket of sockets ?? []) socket.destroy()
    }
  }
}
