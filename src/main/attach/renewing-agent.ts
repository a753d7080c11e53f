import https from 'node:https'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'

/** The context for outgoing connections of the current generation. */
export interface ClientIdentity {
  readonly generation: number
  readonly secureContext: tls.SecureContext
}

/** The error for a server that is not verified by its own trust domain. */
export function foreignServer(): Error {
  const message =
    'the chain of the server does not end at an anchor of the trust domain that its SPIFFE ID names, or it has no SPIFFE ID'
  return Object.assign(new Error(message), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}

/**
 * An agent whose new connections use the client certificate and the CAs of the current generation. A connection of an
 * earlier generation finishes its request and is not reused. No TLS session is resumed across generations, because it would
 * restore the old identity.
 */
export class RenewingAgent extends https.Agent {
  readonly #current: () => ClientIdentity
  readonly #accepts: (certificate: tls.PeerCertificate) => boolean
  /** By connection, and by the request options that Node passes to `getName` again when the connection becomes free. */
  readonly #generations = new WeakMap<object, number>()

  /** `accepts` returns whether a verified server belongs to its own trust domain. */
  constructor(
    options: https.AgentOptions,
    current: () => ClientIdentity,
    accepts: (certificate: tls.PeerCertificate) => boolean,
  ) {
    super(options)
    this.#current = current
    this.#accepts = accepts
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
    const { checkServerIdentity = tls.checkServerIdentity } = options
    const check = (host: string, certificate: tls.PeerCertificate) =>
      checkServerIdentity(host, certificate) ?? (this.#accepts(certificate) ? undefined : foreignServer())
    const own = { ...options, secureContext, checkServerIdentity: check } as https.RequestOptions
    const socket = super.createConnection(own, callback)
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
