import type { Clock } from '../base/clock.js'

/** The first pause between two requests to join, in milliseconds. */
const FIRST_PAUSE_MS = 250
/** The longest pause between two requests to rejoin: each makes the primary send a complete generation. */
const MAX_PAUSE_MS = 30_000

interface JoinRequestParts {
  readonly clock: Clock
  /** Sends one request. */
  readonly request: () => void
  /** Whether a further request is needed. */
  readonly isNeeded: () => boolean
}

/**
 * Repeats the request to join while it is needed: the primary may not listen yet, or may be unable to grant it.
 *
 * @param isRejoin whether the pauses grow, because the member was evicted.
 */
export function requestJoin({ clock, request, isNeeded }: JoinRequestParts, isRejoin: boolean): void {
  const next = (waitMs: number): void => {
    if (!isNeeded()) return
    request()
    clock.after(waitMs, () => next(isRejoin ? Math.min(2 * waitMs, MAX_PAUSE_MS) : waitMs))
  }
  next(FIRST_PAUSE_MS)
}
