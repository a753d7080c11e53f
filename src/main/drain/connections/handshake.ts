import type { Socket } from 'node:net'

import type { Connection, Departure } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { type ConnectionFacts, factsOf } from './facts.js'

/** An unfinished TLS handshake. Once the drain closes, it has `incompleteMs` to finish. */
export class HandshakeConnection implements Connection {
  readonly facts: ConnectionFacts
  readonly #socket: Socket
  readonly #context: DrainContext
  #departure: Departure = 'closed'
  #cancelWait: (() => void) | null = null
  readonly #onClose = () => this.#context.connections.drop(this, this.#departure)

  constructor(socket: Socket, context: DrainContext) {
    this.#socket = socket
    this.#context = context
    this.facts = factsOf({ protocol: 'handshake', socket, ...context.factParts })
    socket.once('close', this.#onClose)
  }

  windDown(): void {}

  undoWindDown(): void {}

  leave(): void {
    this.#cancelWait ??= this.#context.clock.after(this.#context.incompleteMs, () => {
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
