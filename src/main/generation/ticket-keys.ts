import { hkdfSync, randomBytes } from 'node:crypto'

import { type Clock, MAX_WALL_SLEEP_MS } from '../base/clock.js'
import { createTick, type Tick } from '../base/tick.js'

/** Name, HMAC key and AES key for OpenSSL's ticket callback: `tls.Server#setTicketKeys`. */
const TICKET_KEY_BYTES = 48
const HOUR_MS = 3_600_000

/** Trust identities whose keys are cached: those of a few policies, before and after a change of trust. */
const REMEMBERED = 8

interface Derived {
  readonly secret: Uint8Array
  readonly period: number
  readonly keys: Buffer
}

/** All keys that the engines of this process have issued. */
const given = new WeakSet<Uint8Array>()

/** Whether ticket keys were issued by an engine, not by the application. */
export function areEngineKeys(keys: Uint8Array): boolean {
  return given.has(keys)
}

/**
 * Session-ticket keys, derived from one secret and the trust identity (HKDF-SHA256, RFC 5869): the same secret and
 * trust give the same keys, in this process and in every other that shares the secret.
 */
export class TicketKeys {
  /** The secret without a secret file. All processes that share a listener have the same one. */
  readonly secret: Uint8Array
  readonly #periodMs: number | null
  readonly #clock: Clock
  readonly #tick: Tick
  /** Each reload requests the keys of the previous one several times. */
  readonly #derived = new Map<string, Derived>()

  /** @param rotateHours the keys change at each multiple of it since the epoch, on all replicas at the same time. */
  constructor(
    rotateHours: number | null,
    clock: Clock,
    rotate: () => void,
    secret: Uint8Array = randomBytes(48),
  ) {
    this.secret = secret
    this.#periodMs = rotateHours === null ? null : rotateHours * HOUR_MS
    this.#clock = clock
    let current = this.#period()
    const check = async () => {
      if (this.#period() === current) return
      current = this.#period()
      rotate()
    }
    this.#tick = createTick({ clock, delayMs: () => this.#untilNextMs(), check })
    this.#tick.plan()
  }

  /** @param secret content of the secret file, if there is one. */
  keysFor(trustIdentity: string, secret: Uint8Array | null): Buffer {
    const from = secret ?? this.secret
    const period = this.#period()
    const known = this.#derived.get(trustIdentity)
    if (known?.period === period && Buffer.compare(known.secret, from) === 0) return known.keys
    const info = `certswap ticket keys ${trustIdentity} ${period}`
    const keys = Buffer.from(hkdfSync('sha256', from, '', info, TICKET_KEY_BYTES))
    given.add(keys)
    if (this.#derived.size >= REMEMBERED) this.#derived.clear()
    this.#derived.set(trustIdentity, { secret: from, period, keys })
    return keys
  }

  stop(): void {
    this.#tick.stop()
  }

  #period(): number {
    return this.#periodMs === null ? 0 : Math.floor(this.#clock.wallMs() / this.#periodMs)
  }

  #untilNextMs(): number | null {
    if (this.#periodMs === null) return null
    return Math.min(MAX_WALL_SLEEP_MS, this.#periodMs - (this.#clock.wallMs() % this.#periodMs))
  }
}
