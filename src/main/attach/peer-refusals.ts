import type { TLSSocket } from 'node:tls'

import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { PeerRefusal } from './peer-gate.js'

/** Log lines at once, and for each further second. A peer that tries again and again must not fill the log. */
const BURST = 20
const PER_SECOND = 1

/** Counts and logs verified peers that were refused. */
export class PeerRefusals {
  readonly counts: Record<PeerRefusal['code'], number> = { TRUST_DOMAIN: 0, PEER_NOT_ALLOWED: 0 }
  readonly #clock: Clock
  #logger: Logger | null = null
  #left = BURST
  #atMs = 0
  #unlogged = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** To be called before the first server is attached. */
  logTo(logger: Logger): void {
    this.#logger = logger
  }

  note({ code, peer }: PeerRefusal, { remoteAddress, remotePort }: TLSSocket): void {
    this.counts[code]++
    if (!this.#mayLog()) {
      this.#unlogged++
      return
    }
    const unlogged = this.#unlogged > 0 ? { unlogged: this.#unlogged } : {}
    this.#unlogged = 0
    this.#logger?.warn({ code, peer, remoteAddress, remotePort, ...unlogged }, 'peer refused')
  }

  #mayLog(): boolean {
    const now = this.#clock.monotonicMs()
    this.#left = Math.min(BURST, this.#left + (Math.max(0, now - this.#atMs) / 1000) * PER_SECOND)
    this.#atMs = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
