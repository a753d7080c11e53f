import type { PhaseTimings } from '../api/result.js'
import type { Clock } from '../base/clock.js'
import type { SliceGauge } from '../generation/slices.js'

type Phase = 'prepare' | 'stage' | 'commit' | 'verify'

/** Measures the phases of a pass. Each phase begins at the end of the previous one. */
export class PhaseTimer {
  readonly gauge: SliceGauge = { longestMs: 0 }
  readonly #clock: Clock
  readonly #startMs: number
  #phaseStartMs: number
  readonly #tookMs: Record<Phase, number> = { prepare: 0, stage: 0, commit: 0, verify: 0 }

  readonly #ended = new Set<Phase>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startMs = clock.monotonicMs()
    this.#phaseStartMs = this.#startMs
  }

  ended(phase: Phase): void {
    this.#ended.add(phase)
    const now = this.#clock.monotonicMs()
    this.#tookMs[phase] = now - this.#phaseStartMs
    this.#phaseStartMs = now
    if (phase === 'commit') this.gauge.longestMs = Math.max(this.gauge.longestMs, this.#tookMs.commit)
  }

  hasEnded(phase: Phase): boolean {
    return this.#ended.has(phase)
  }

  timings(): PhaseTimings {
    const { prepare, stage, commit, verify } = this.#tookMs
    return Object.freeze({
      prepareMs: rounded(prepare),
      stageMs: rounded(stage),
      commitMs: rounded(commit),
      verifyMs: rounded(verify),
      totalMs: rounded(this.#clock.monotonicMs() - this.#startMs),
      longestSliceMs: rounded(this.gauge.longestMs),
    })
  }
}

/** Rounds to microseconds; smaller digits are noise. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
