import { setTimeout as delay } from 'node:timers/promises'

import type { Message } from './message.js'

/** Sends messages one after the other, in order. */
export class Outbox {
  readonly #send: (message: Message) => Promise<void>
  readonly #waiting: Message[] = []
  #emptying: Promise<void> = Promise.resolve()
  #busy = false

  /** @param send must not reject. */
  constructor(send: (message: Message) => Promise<void>) {
    this.#send = send
  }

  put(message: Message): void {
    // A status replaces a status that was not sent yet.
    if (isStatus(message) && isStatus(this.#waiting.at(-1))) this.#waiting.pop()
    this.#waiting.push(message)
    if (!this.#busy) this.#emptying = this.#empty()
  }

  /** Resolves once all messages have been sent, or after `withinMs` milliseconds; then the remaining ones are dropped. */
  async flushed(withinMs: number): Promise<void> {
    const late = new AbortController()
    const timeout = delay(withinMs, undefined, { signal: late.signal }).catch(() => {})
    await Promise.race([this.#emptying, timeout])
    late.abort()
    this.#waiting.length = 0
  }

  async #empty(): Promise<void> {
    this.#busy = true
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) await this.#send(next)
    this.#busy = false
  }
}

function isStatus(message: Message | undefined): boolean {
  return message?.length === 1 && (message[0] as string).startsWith('STATUS=')
}
