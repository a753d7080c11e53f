import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import { lingerAfterEnd } from '../node/half-close.js'
import type { Connection, Departure, DrainNotice } from './connection.js'
import type { DrainContext } from './drain-context.js'
import { type ConnectionFacts, factsOf } from './facts.js'
import type { Protocol } from './protocols.js'

/** Milliseconds between the end and the reset of a connection that is cut. */
const CUT_MS = 100

export interface HookedSocketParts {
  readonly protocol: Protocol
  readonly socket: Socket
  /** The stream that the application writes to, if it is not the socket itself. */
  readonly stream?: Duplex
  readonly ageMs?: number
  /** The option whose functions close the connection. */
  readonly hook: 'onUpgrade' | 'onRaw'
  /** Calls them. `about` describes the connection in log lines. */
  readonly callHooks: (notice: DrainNotice, about: object) => void
  /** Milliseconds within which the connection must close after the hook; `Infinity` leaves it to the deadline. */
  readonly closeTimeoutMs: number
  /** Called when the connection is no longer watched under this protocol. */
  readonly released?: () => void
}

/**
 * A connection whose protocol only the application knows. A hook closes it; without a hook it is never cut before the
 * deadline.
 */
export class HookedSocket implements Connection {
  readonly facts: ConnectionFacts
  readonly #parts: HookedSocketParts
  readonly #context: DrainContext
  #departure: Departure = 'closed'
  #left = false
  #cancelTimeout: () => void = () => {}
  readonly #onClose = () => this.#context.connections.drop(this, this.#departure)

  constructor(parts: HookedSocketParts, context: DrainContext) {
    const { protocol, socket, ageMs } = parts
    this.#parts = parts
    this.#context = context
    this.facts = factsOf({
      protocol,
      socket,
      ...context.factParts,
      ...(ageMs === undefined ? {} : { ageMs }),
    })
    socket.once('close', this.#onClose)
  }

  windDown(): void {}

  undoWindDown(): void {}

  leave(notice: DrainNotice, isNew: boolean): void {
    const { hook, callHooks, protocol, closeTimeoutMs, socket } = this.#parts
    if (this.#left) return
    this.#left = true
    const about = { protocol, remoteAddress: this.facts.remoteAddress, remotePort: this.facts.remotePort }
    if (!this.#context.hooks.has(hook)) {
      this.#context.hooks.logMissing(hook, about)
      return
    }
    lingerAfterEnd(socket, this.#context.clock)
    // The application has not handled a new upgrade yet.
    if (isNew) setImmediate(callHooks, notice, about)
    else callHooks(notice, about)
    if (closeTimeoutMs === Number.POSITIVE_INFINITY) return
    this.#cancelTimeout = this.#context.clock.after(closeTimeoutMs, () => {
      this.#departure = 'abandoned'
      this.#endThenDestroy()
    })
  }

  cut(): void {
    this.#departure = 'forced'
    this.#endThenDestroy()
  }

  release(): void {
    this.#cancelTimeout()
    this.#parts.released?.()
    this.#parts.socket.off('close', this.#onClose)
  }

  #endThenDestroy(): void {
    const { socket, stream = socket } = this.#parts
    stream.end()
    const cancel = this.#context.clock.after(CUT_MS, () => socket.destroy())
    socket.once('close', cancel)
  }
}
