import { setImmediate as turn } from 'node:timers/promises'

/** The longest that a slice of staging may hold the event loop, in milliseconds. */
const SLICE_BUDGET_MS = 1

/** Records the longest slice of one reload. */
export interface SliceGauge {
  longestMs: number
}

/**
 * Runs a build in slices, with a turn of the event loop between them. A slice ends when another step, assumed to take as long
 * as the longest so far, would exceed the budget.
 */
export async function runInSlices<T>(build: Generator<void, T, void>, gauge: SliceGauge): Promise<T> {
  let longestStepMs = 0
  for (;;) {
    // Also before the first slice: the caller's turn has already handled a worker reply or another build.
    await turn()
    const sliceStart = performance.now()
    let elapsed = 0
    do {
      const step = build.next()
      const now = performance.now() - sliceStart
      longestStepMs = Math.max(longestStepMs, now - elapsed)
      elapsed = now
      gauge.longestMs = Math.max(gauge.longestMs, elapsed)
      if (step.done) return step.value
    } while (elapsed + longestStepMs <= SLICE_BUDGET_MS)
  }
}

/** Runs a build synchronously, for a server that is attached to a running engine. */
export function runAtOnce<T>(build: Generator<void, T, void>): T {
  for (;;) {
    const step = build.next()
    if (step.done) return step.value
  }
}
