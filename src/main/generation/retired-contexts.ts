import type tls from 'node:tls'

import type { Clock } from '../base/clock.js'
import { closeContext } from './native-context.js'
import { runInSlices } from './slices.js'

/**
 * A handshake may hold a context while it waits for the application, for example for an OCSP response; freeing the context
 * then would end the process. By default Node aborts a handshake after two minutes.
 */
const FREE_AFTER_MS = 150_000

interface Retired {
  readonly context: tls.SecureContext
  readonly atMs: number
}

/** Contexts that are no longer used for new connections, freed one per turn once no handshake can use them. */
export class RetiredContexts {
  readonly #limit: number
  readonly #clock: Clock
  #waiting: Retired[] = []
  #cancel: (() => void) | null = null

  /** @param limit contexts to track; beyond it, the oldest are left to the garbage collector. */
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
    const unused = this.#waiting.filter(({ atMs }) => atMs <= due)
    this.#waiting = this.#waiting.slice(unused.length)
    freeInTurns(unused.map(({ context }) => context))
    this.#plan()
  }
}

/**
 * Frees each context in its own turn of the event loop: it is one native call that cannot be split, and takes 1 to 4 ms for
 * 500 trust anchors.
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
