import type { ActiveDrain, DrainResult } from './active-drain.js'
import type { DrainRun } from './handle.js'
import { waitFor } from './wait-for.js'

/** The public view of a drain in progress, returned by `start`. */
export function runOf(active: ActiveDrain, completion: Promise<DrainResult>, force: () => void): DrainRun {
  return {
    uri: active.notice.uri,
    reason: active.notice.reason,
    get remainingMs() {
      return active.deadline.leftMs
    },
    connections: () => active.counts(),
    complete: (signal) => waitFor(completion, signal),
    force,
  }
}
