import { EventEmitter } from 'node:events'

import type { Logger } from './logger.js'

/** Typed events whose listeners cannot harm what they are told of. */
export class EventHub<Events extends { [E in keyof Events]: unknown[] }> {
  readonly #emitter = new EventEmitter()
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  on<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => void): void {
    this.#emitter.on(event, listener as (...args: unknown[]) => void)
  }

  once<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => void): void {
    this.#emitter.once(event, listener as (...args: unknown[]) => void)
  }

  off<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => void): void {
    this.#emitter.off(event, listener as (...args: unknown[]) => void)
  }

  /** A listener that throws is logged: it must not undo what has happened. */
  emit<E extends keyof Events & string>(event: E, ...args: Events[E]): void {
    try {
      this.#emitter.emit(event, ...args)
    } catch (error) {
      this.#logger.error({ event, err: error }, 'a listener of the reload engine threw')
    }
  }

  clear(): void {
    this.#emitter.removeAllListeners()
  }
}
