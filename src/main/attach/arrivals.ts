import type { Socket } from 'node:net'
import type tls from 'node:tls'

/**
 * Records the connections that some servers accept, to prove that a given server answered a client: another process may
 * listen on the same port, or may have replaced the path of a Unix socket.
 */
export class Arrivals {
  readonly #ports = new Map<tls.Server, Set<number | undefined>>()
  readonly #stops: (() => void)[] = []

  constructor(servers: readonly tls.Server[]) {
    for (const server of servers) {
      const ports = new Set<number | undefined>()
      const accept = ({ remotePort }: Socket) => ports.add(remotePort)
      server.on('connection', accept)
      this.#ports.set(server, ports)
      this.#stops.push(() => server.off('connection', accept))
    }
  }

  /** Whether a server accepted a connection from this port; `null` for any connection to a Unix socket. */
  has(server: tls.Server, port: number | null): boolean {
    return this.#ports.get(server)?.has(port ?? undefined) ?? false
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
