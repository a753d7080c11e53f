import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import type { Logger } from '../base/logger.js'
import type { Connection, Departure } from './connections/connection.js'
import type { Connections, ConnectionsObserver } from './connections/connections.js'

/** The part of a reload engine that a drain needs to find connections that are no longer trusted. */
export interface TrustSource {
  generationOf(socket: Socket): number | undefined
  status(): { readonly generation: { readonly number: number } }
  distrusted(connections: Iterable<TLSSocket>): Promise<ReadonlySet<TLSSocket>>
  on(event: 'applied', listener: (result: AppliedTrust) => void): unknown
  off(event: 'applied', listener: (result: AppliedTrust) => void): unknown
}

/** The part of a reload result that shows whether trust has changed. */
interface AppliedTrust {
  readonly diff: { readonly sessionsSurvive: boolean } | null
}

export interface TrustWatchParts {
  readonly engine: TrustSource
  readonly connections: Connections
  readonly logger: Logger
  readonly drainDistrusted: (distrusted: ReadonlySet<Socket>) => void
}

/** After each change of trust, finds the connections that are no longer trusted, and has them drained. */
export class TrustWatch implements ConnectionsObserver {
  readonly #parts: TrustWatchParts
  readonly #unfollow: () => void
  #released = false
  readonly #applied = ({ diff }: AppliedTrust) => {
    // A rollback has no diff.
    if (!diff?.sessionsSurvive) this.#check([...this.#parts.connections])
  }

  constructor(parts: TrustWatchParts) {
    this.#parts = parts
    parts.engine.on('applied', this.#applied)
    this.#unfollow = parts.connections.follow(this)
  }

  /** A handshake uses the trust at its start, and may finish after the check that followed a change. */
  joined(connection: Connection, instead: Connection | undefined): void {
    const { engine } = this.#parts
    if (instead?.facts.protocol !== 'handshake' || !connection.facts.socket) return
    const began = engine.generationOf(connection.facts.socket)
    if (began !== undefined && began !== engine.status().generation.number) this.#check([connection])
  }

  left(_connection: Connection, _departure: Departure): void {}

  release(): void {
    this.#released = true
    this.#parts.engine.off('applied', this.#applied)
    this.#unfollow()
  }

  #check(connections: readonly Connection[]): void {
    const { engine, logger, drainDistrusted } = this.#parts
    engine.distrusted(securedAmong(connections)).then(
      (distrusted) => {
        if (distrusted.size > 0 && !this.#released) drainDistrusted(distrusted)
      },
      (error: unknown) => logger.error({ err: error }, 'checking connections against the new trust failed'),
    )
  }
}

/** TLS sockets whose handshake is finished. */
export function securedAmong(connections: Iterable<Connection>): TLSSocket[] {
  return [...connections].flatMap(({ facts: { socket, protocol } }) =>
    socket instanceof TLSSocket && protocol !== 'handshake' ? [socket] : [],
  )
}
