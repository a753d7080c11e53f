import type { Socket } from 'node:net'

import type { Connection, Departure } from './connection.js'
import type { Surroundings } from './drain-context.js'
import { type ConnectionFacts, factsOf } from './facts.js'

/** A TLS handshake that is not finished: it may finish, in `incompleteMs` from when it is time to leave. */
export class HandshakeConnection implements Connection {
  readonly facts: ConnectionFacts
  readonly #socket: Socket
  readonly #around: Surroundings
  #departure: Departure = 'closed'
  #cancelWait: (() => void) | null = null
  readonly #onClose = () => this.#around.book.drop(this, this.#departure)

  constructor(socket: Socket, around: Surroundings) {
    this.#socket = socket
    this.#around = around
    this.facts = factsOf({ protocol: 'handshake', socket, ...around.factParts })
    socket.once('close', this.#onClose)
  }

  windDown(): void {}

  carryOn(): void {}

  leave(): void {
    this.#cancelWait ??= this.#around.clock.after(this.#around.incompleteMs, () => {
      this.#departure = 'abandoned'
      this.#socket.destroy()
    })
  }

  cut(): void {
    this.#departure = 'forced'
    this.#socket.destroy()
  }

  release(): void {
    this.#cancelWait?.()
    this.#socket.off('close', this.#onClose)
  }
}
