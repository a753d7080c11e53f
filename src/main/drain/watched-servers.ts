import type { Server } from 'node:net'

import { DrainError } from './errors.js'
import type { ResolvedDrainOptions } from './options.js'
import type { Surroundings } from './surroundings.js'
import { type WatchedServer, watchServer } from './watch-server.js'

/** A server is in one drain at most: two would each send their goodbyes. */
const taken = new WeakSet<Server>()

/** @throws DrainError `SERVER_TAKEN` */
export function assertFree(servers: readonly Server[]): void {
  if (!servers.some((server) => taken.has(server))) return
  throw new DrainError('SERVER_TAKEN', 'createDrain: a server belongs to another drain; close that one first')
}

/** The servers of one drain, which takes them until it releases them. */
export class WatchedServers {
  readonly #servers = new Map<Server, WatchedServer>()
  readonly #refuseRequests: boolean

  constructor({ servers, http2, lateRequests }: ResolvedDrainOptions, around: Surroundings) {
    this.#refuseRequests = lateRequests === 'refuse'
    for (const server of servers) {
      taken.add(server)
      this.#servers.set(server, watchServer(server, around, http2 === 'two-phase'))
    }
  }

  stopListening(): void {
    for (const server of this.#servers.values()) {
      server.stopListening()
      if (this.#refuseRequests) server.refuseRequests()
    }
  }

  release(): void {
    for (const [server, watched] of this.#servers) {
      watched.release()
      taken.delete(server)
    }
    this.#servers.clear()
  }
}
