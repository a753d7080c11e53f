import type { Server, Socket } from 'node:net'

import type { DrainContext } from './connections/drain-context.js'
import { DrainError } from './errors.js'
import type { HandedOn } from './handed-on.js'
import type { ResolvedDrainOptions } from './options.js'
import { type WatchedServer, watchServer } from './watch-server.js'

/** A server is in at most one drain: two would each close its connections. */
const taken = new WeakSet<Server>()

/** @throws DrainError `SERVER_TAKEN` */
export function assertFree(servers: readonly Server[]): void {
  if (!servers.some((server) => taken.has(server))) return
  throw new DrainError('SERVER_TAKEN', 'createDrain: a server belongs to another drain; close that one first')
}

/** The servers of one drain, reserved until `release`. */
export class WatchedServers {
  readonly #servers = new Map<Server, WatchedServer>()
  readonly #context: DrainContext
  readonly #twoPhase: boolean
  readonly #refuseRequests: boolean
  #listening = true

  constructor({ servers, http2, lateRequests }: ResolvedDrainOptions, context: DrainContext) {
    this.#context = context
    this.#twoPhase = http2 === 'two-phase'
    this.#refuseRequests = lateRequests === 'refuse'
    for (const server of servers) this.#watch(server)
    this.#warnOfEarlyConnections()
  }

  stopListening(): void {
    this.#listening = false
    for (const server of this.#servers.values()) this.#stop(server)
  }

  release(): void {
    for (const [server, watched] of this.#servers) {
      watched.release()
      taken.delete(server)
    }
    this.#servers.clear()
  }

  #watch(server: Server): WatchedServer {
    taken.add(server)
    const watched = watchServer(server, this.#context, {
      twoPhase: this.#twoPhase,
      handedOn: (socket, to) => this.#follow(socket, to),
    })
    this.#servers.set(server, watched)
    return watched
  }

  #stop(server: WatchedServer): void {
    server.stopListening()
    if (this.#refuseRequests) server.refuseRequests()
  }

  /**
   * The application passed a connection of one of these servers to another server, which is watched from now on, so that
   * the connection is counted and closed under its real protocol. A server that is already watched has recorded it itself.
   */
  #follow(socket: Socket, { server, session }: HandedOn): void {
    if (taken.has(server)) return
    const watched = this.#watch(server)
    if (!this.#listening) this.#stop(watched)
    watched.take(socket, session)
  }

  /** Connections accepted earlier cannot be seen, and would be cut without a close notice when the process exits. */
  #warnOfEarlyConnections(): void {
    for (const server of this.#servers.keys()) {
      if (!server.listening) continue
      server.getConnections((error, connections) => {
        if (!error && connections > 0) this.#context.logger.warn({ connections }, EARLY_CONNECTIONS)
      })
    }
  }
}

const EARLY_CONNECTIONS =
  'a server had open connections before the drain watched it; they are not drained. Call createDrain before listen'
