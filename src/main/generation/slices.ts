import { setImmediate as turn } from 'node:timers/promises'

/** The longest that a slice of staging may hold the event loop, in milliseconds. */
const SLICE_BUDGET_MS = 1

/** Collects how long the longest slice of one reload was. */
export interface SliceGauge {
  longestMs: number
}

/**
 * Runs a build to its end in slices, with a turn of the event loop between them. A slice ends before the step that
 * would take it past the budget, going by the longest step so far.
 */
export async function runInSlices<T>(build: Generator<void, T, void>, gauge: SliceGauge): Promise<T> {
  let longestStepMs = 0
  for (;;) {
    // Before the first slice too: the caller's turn has already handled an answer of the worker, or another build.
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

/** Runs a build to its end at once, for a server that is attached while the engine serves. */
export function runAtOnce<T>(build: Generator<void, T, void>): T {
  for (;;) {
    const step = build.next()
    if (step.done) return step.value
  }
}
