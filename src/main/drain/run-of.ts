import type { DrainResult, Farewell } from './farewell.js'
import type { DrainRun } from './handle.js'
import { waitFor } from './wait-for.js'

/** The view of a farewell that the caller of `start` gets. */
export function runOf(farewell: Farewell, completion: Promise<DrainResult>, force: () => void): DrainRun {
  return {
    uri: farewell.notice.uri,
    reason: farewell.notice.reason,
    get remainingMs() {
      return farewell.deadline.leftMs
    },
    connections: () => farewell.counts(),
    complete: (signal) => waitFor(completion, signal),
    force,
  }
}
