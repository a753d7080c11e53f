import { EventEmitter } from 'node:events'

import type { Logger } from './logger.js'

type Listener = (...args: unknown[]) => unknown

/** Typed events whose listeners can harm neither what they are told of nor each other. */
export class EventHub<Events extends { [E in keyof Events]: unknown[] }> {
  readonly #emitter = new EventEmitter()
  readonly #logger: Logger
  readonly #message: string

  /** @param owner whose events they are, for the log. */
  constructor(logger: Logger, owner: 'reload engine' | 'drain' = 'reload engine') {
    this.#logger = logger
    this.#message = `a listener of the ${owner} threw`
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

  isHeard(event: keyof Events & string): boolean {
    return this.#emitter.listenerCount(event) > 0
  }

  emit<E extends keyof Events & string>(event: E, ...args: Events[E]): void {
    for (const listener of this.#emitter.rawListeners(event) as Listener[]) {
      void this.#tell(event, listener, args)
    }
  }

  clear(): void {
    this.#emitter.removeAllListeners()
  }

  /** What a listener throws, now or later, is logged: it must not undo what has happened. */
  async #tell(event: string, listener: Listener, args: unknown[]): Promise<void> {
    try {
      await listener(...args)
    } catch (error) {
      this.#logger.error({ event, err: error }, this.#message)
    }
  }
}
