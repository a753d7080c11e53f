import https from 'node:https'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'

/** The most connections to the service at a time; further requests wait. */
const MAX_CONNECTIONS = 32
/** Idle connections are closed after this time, so that a load balancer can move this client. */
const IDLE_MS = 30_000

/** Connections with one set of CAs and one client certificate. */
export class RequestAgent extends https.Agent {
  #retired = false

  constructor(secureContext: SecureContext) {
    const options: https.AgentOptions & { secureContext: SecureContext } = {
      // Not `ca`, `cert` and `key`: Node would copy them into the name of each pooled connection.
      secureContext,
      keepAlive: true,
      maxSockets: MAX_CONNECTIONS,
      timeout: IDLE_MS,
      // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the check off.
      rejectUnauthorized: true,
    }
    super(options)
  }

  /** Lets requests finish, and uses no connection for another one. */
  retire(): void {
    this.#retired = true
    for (const sockets of Object.values(this.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy()
    }
  }

  /** Node calls it when a connection becomes free. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#retired) return false
    const keeps: unknown = super.keepSocketAlive(socket)
    return keeps === true
  }
}
