import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import type { Logger } from '../base/logger.js'
import type { Connection, Departure } from './connections/connection.js'
import type { BookReader, Connections } from './connections/connections.js'

/** What of a reload engine a drain needs to say goodbye to those who lost their trust. */
export interface TrustSource {
  generationOf(socket: Socket): number | undefined
  status(): { readonly generation: { readonly number: number } }
  distrusted(connections: Iterable<TLSSocket>): Promise<ReadonlySet<TLSSocket>>
  on(event: 'applied', listener: (result: AppliedTrust) => void): unknown
  off(event: 'applied', listener: (result: AppliedTrust) => void): unknown
}

/** What of the result of a reload tells whether trust has changed. */
interface AppliedTrust {
  readonly diff: { readonly sessionsSurvive: boolean } | null
}

export interface TrustWatchParts {
  readonly engine: TrustSource
  readonly book: Connections
  readonly logger: Logger
  readonly dismiss: (distrusted: ReadonlySet<Socket>) => void
}

/** Looks after each change of trust for connections that it would not have let in, and has them dismissed. */
export class TrustWatch implements BookReader {
  readonly #parts: TrustWatchParts
  readonly #unfollow: () => void
  #released = false
  readonly #applied = ({ diff }: AppliedTrust) => {
    // A rollback brings no diff with it.
    if (!diff?.sessionsSurvive) this.#look([...this.#parts.book])
  }

  constructor(parts: TrustWatchParts) {
    this.#parts = parts
    parts.engine.on('applied', this.#applied)
    this.#unfollow = parts.book.follow(this)
  }

  /** A handshake goes by the trust that it began with, and may end after that was looked at. */
  joined(connection: Connection, instead: Connection | undefined): void {
    const { engine } = this.#parts
    if (instead?.facts.protocol !== 'handshake' || !connection.facts.socket) return
    const began = engine.generationOf(connection.facts.socket)
    if (began !== undefined && began !== engine.status().generation.number) this.#look([connection])
  }

  left(_connection: Connection, _departure: Departure): void {}

  release(): void {
    this.#released = true
    this.#parts.engine.off('applied', this.#applied)
    this.#unfollow()
  }

  #look(connections: readonly Connection[]): void {
    const { engine, logger, dismiss } = this.#parts
    engine.distrusted(securedAmong(connections)).then(
      (distrusted) => {
        if (distrusted.size > 0 && !this.#released) dismiss(distrusted)
      },
      (error: unknown) => logger.error({ err: error }, 'connections were not held against the new trust'),
    )
  }
}

/** Sockets of TLS whose handshake is over. */
export function securedAmong(connections: Iterable<Connection>): TLSSocket[] {
  return [...connections].flatMap(({ facts: { socket, protocol } }) =>
    socket instanceof TLSSocket && protocol !== 'handshake' ? [socket] : [],
  )
}
