import { isoTime } from '../../workers/base/iso-time.js'
import type { ProblemCode } from '../../workers/base/problem.js'
import type { SourceStatus } from '../api/status.js'
import type { Clock } from '../base/clock.js'

/** What is known about a source and the material that it delivered. */
export class SourceHealth {
  readonly #name: string
  readonly #clock: Clock
  readonly #failures: Partial<Record<ProblemCode, number>> = {}
  #lastSuccessMs: number | null = null
  #failingSinceMs: number | null = null
  #served: { readonly version: string; readonly generation: number; readonly sinceMs: number } | null = null
  #isStale = false

  constructor(name: string, clock: Clock) {
    this.#name = name
    this.#clock = clock
  }

  /** The source has answered with usable material, or that nothing changed. */
  answered(): void {
    this.#lastSuccessMs = this.#clock.wallMs()
    this.#failingSinceMs = null
    this.#isStale = false
  }

  failed(code: ProblemCode): void {
    this.counted(code)
    this.#failingSinceMs ??= this.#clock.wallMs()
  }

  /** A problem that says nothing about the source. */
  counted(code: ProblemCode): void {
    this.#failures[code] = (this.#failures[code] ?? 0) + 1
  }

  /** @param isStale whether it comes from an earlier run, and the source has not answered yet. */
  serves(version: string, generation: number, isStale = false): void {
    this.#isStale = isStale
    const sinceMs = this.#served?.version === version ? this.#served.sinceMs : this.#clock.wallMs()
    this.#served = { version, generation, sinceMs }
  }

  /** @param generation number of the one in service: after a rollback, it is not the one that was delivered last. */
  status(generation: number): Omit<SourceStatus, 'pushOutage'> {
    const served = this.#served?.generation === generation ? this.#served : null
    return {
      name: this.#name,
      version: served?.version ?? null,
      servedSince: isoOrNull(served?.sinceMs ?? null),
      lastSuccess: isoOrNull(this.#lastSuccessMs),
      failingSince: isoOrNull(this.#failingSinceMs),
      failures: { ...this.#failures },
      stale: this.#isStale,
    }
  }
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}
