import { EventEmitter } from 'node:events'

import type { Logger } from './logger.js'
import { callUserCode } from './user-code.js'

type Listener = (...args: unknown[]) => unknown

/**
 * Typed events. A failing listener affects neither the emitter nor other listeners: if it throws or its promise rejects, that
 * is logged, counted and reported as a process warning (`CERTSWAP_LISTENER_FAILED`).
 */
export class EventHub<Events extends { [E in keyof Events]: unknown[] }> {
  readonly #emitter = new EventEmitter()
  readonly #logger: Logger
  readonly #owner: string

  /** @param owner the emitter of the events, for the log. */
  constructor(logger: Logger, owner: 'reload engine' | 'drain' = 'reload engine') {
    this.#logger = logger
    this.#owner = owner
  }

  on<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => void): void {
    this.#emitter.on(event, listener as Listener)
  }

  once<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => void): void {
    this.#emitter.once(event, listener as Listener)
  }

  off<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => void): void {
    this.#emitter.off(event, listener as Listener)
  }

  emit<E extends keyof Events & string>(event: E, ...args: Events[E]): void {
    const name = `a listener of the event ${event} of the ${this.#owner}`
    const log = (error: unknown) =>
      this.#logger.error({ event, err: error }, `a listener of the ${this.#owner} threw`)
    for (const listener of this.#emitter.rawListeners(event) as Listener[]) {
      callUserCode('listener', name, () => listener(...args), log)
    }
  }

  clear(): void {
    this.#emitter.removeAllListeners()
  }
}
