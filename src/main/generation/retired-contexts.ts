import type tls from 'node:tls'

import type { Clock } from '../base/clock.js'
import { closeContext } from './native-context.js'
import { runInSlices } from './slices.js'

/**
 * A context may have been handed to a handshake that waits for something else (an OCSP response of the application's),
 * and freeing it under that handshake would end the process. Node gives a handshake up after two minutes by default.
 */
const FREE_AFTER_MS = 150_000

interface Retired {
  readonly context: tls.SecureContext
  readonly atMs: number
}

/** Contexts that are no longer handed out, freed a few at a time once no handshake can use them. */
export class RetiredContexts {
  readonly #limit: number
  readonly #clock: Clock
  #waiting: Retired[] = []
  #cancel: (() => void) | null = null

  /** Beyond `limit` the oldest are left to the garbage collector. */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit
    this.#clock = clock
  }

  add(context: tls.SecureContext): void {
    this.#waiting.push({ context, atMs: this.#clock.monotonicMs() })
    if (this.#waiting.length > this.#limit) this.#waiting.shift()
    this.#plan()
  }

  clear(): void {
    this.#cancel?.()
    this.#cancel = null
    this.#waiting = []
  }

  #plan(): void {
    const [oldest] = this.#waiting
    if (this.#cancel || !oldest) return
    const leftMs = oldest.atMs + FREE_AFTER_MS - this.#clock.monotonicMs()
    this.#cancel = this.#clock.after(Math.max(0, leftMs), () => this.#sweep())
  }

  #sweep(): void {
    this.#cancel = null
    const due = this.#clock.monotonicMs() - FREE_AFTER_MS
    const ripe = this.#waiting.filter(({ atMs }) => atMs <= due)
    this.#waiting = this.#waiting.slice(ripe.length)
    freeInTurns(ripe.map(({ context }) => context))
    this.#plan()
  }
}

/**
 * Frees contexts in turns of their own: for a large trust store that is one native call, which cannot be cut (1 to 4 ms
 * for 500 trust anchors).
 */
export function freeInTurns(contexts: readonly tls.SecureContext[]): void {
  if (contexts.length > 0) void runInSlices(freeAll(contexts), { longestMs: 0 })
}

function* freeAll(contexts: readonly tls.SecureContext[]): Generator<void, void, void> {
  for (const context of contexts) {
    closeContext(context)
    yield
  }
}
