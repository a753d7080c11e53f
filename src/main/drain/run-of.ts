import type { DrainResult, Farewell } from './farewell.js'
import type { DrainRun } from './handle.js'
import { waitFor } from './wait-for.js'

/** The public view of a drain in progress, returned by `start`. */
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
