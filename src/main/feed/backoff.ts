const FIRST_MS = 1000
const MAX_MS = 60_000

/** The growing delay between attempts, with jitter, so that the processes of a fleet do not return together. */
export class Backoff {
  readonly #random: () => number
  #failures = 0
  #delayMs: number | null = null

  /** @param random a number from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** Milliseconds until the next attempt; `null` if the last one succeeded. */
  get delayMs(): number | null {
    return this.#delayMs
  }

  failed(retryAfterMs = 0): void {
    const fullMs = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(this.#failures, 16))
    this.#failures++
    this.#delayMs = Math.max(retryAfterMs, fullMs * (0.5 + this.#random() / 2))
  }

  succeeded(): void {
    this.#failures = 0
    this.#delayMs = null
  }
}
