import type { Clock } from '../base/clock.js'

/** The first pause between two requests to join, in milliseconds. */
const KNOCK_MS = 250
/** The longest pause between two requests to join again: each costs the primary a complete generation. */
const LONGEST_KNOCK_MS = 30_000

interface KnockParts {
  readonly clock: Clock
  readonly ask: () => void
  readonly isWanted: () => boolean
}

/** Asks to join, again and again while it is wanted: the primary may not listen yet, or may be unable to grant it. */
export function knock({ clock, ask, isWanted }: KnockParts, again: boolean): void {
  const next = (waitMs: number): void => {
    if (!isWanted()) return
    ask()
    clock.after(waitMs, () => next(again ? Math.min(2 * waitMs, LONGEST_KNOCK_MS) : waitMs))
  }
  next(KNOCK_MS)
}
