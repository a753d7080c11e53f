import { hkdfSync, randomBytes } from 'node:crypto'

import type { Clock } from '../clock.js'
import { createTick, type Tick } from '../tick.js'

/** Name, HMAC key and AES key of OpenSSL's ticket callback: `tls.Server#setTicketKeys`. */
const TICKET_KEY_BYTES = 48
const HOUR_MS = 3_600_000

/**
 * Session-ticket keys, derived from one secret and the trust identity (HKDF-SHA256, RFC 5869): the same secret and
 * trust give the same keys, in this process and in every other that shares the secret.
 */
export class TicketKeys {
  /** What keys are derived from without a secret file; every process that shares a listener has the same. */
  readonly secret: Uint8Array
  readonly #periodMs: number | null
  readonly #clock: Clock
  readonly #tick: Tick

  /** With `rotateHours` the keys change whenever so many hours since the epoch have passed: everywhere at once. */
  constructor(
    rotateHours: number | null,
    clock: Clock,
    rotate: () => void,
    secret: Uint8Array = randomBytes(48),
  ) {
    this.secret = secret
    this.#periodMs = rotateHours === null ? null : rotateHours * HOUR_MS
    this.#clock = clock
    this.#tick = createTick({ clock, delayMs: () => this.#untilNextMs(), check: async () => rotate() })
    this.#tick.plan()
  }

  /** `secret` is that of the file, when there is one. */
  keysFor(trustIdentity: string, secret: Uint8Array | null): Buffer {
    const info = `certswap ticket keys ${trustIdentity} ${this.#period()}`
    return Buffer.from(hkdfSync('sha256', secret ?? this.secret, '', info, TICKET_KEY_BYTES))
  }

  stop(): void {
    this.#tick.stop()
  }

  #period(): number {
    return this.#periodMs === null ? 0 : Math.floor(this.#clock.wallMs() / this.#periodMs)
  }

  #untilNextMs(): number | null {
    return this.#periodMs === null ? null : this.#periodMs - (this.#clock.wallMs() % this.#periodMs)
  }
}
