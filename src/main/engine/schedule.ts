/** The state that determines the time of the next check. */
export interface CheckState {
  /** The interval in milliseconds; 0 is off. */
  readonly intervalMs: number
  /** The current failure, and the number of passes since then that found the same one. */
  readonly trouble: { readonly kind: 'waiting' | 'failing'; readonly retries: number } | null
  /** Milliseconds until the first end that requires a renewal. */
  readonly lifeLeftMs: number
  /** Delay that the source needs after a failure; `null` without one, and with files. */
  readonly sourceDelayMs: number | null
}

/** Delays of the first checks after a failure, in milliseconds: a renewal is probably in progress. */
const QUICK_DELAYS_MS = [50, 100, 200, 400, 800] as const
/** The shortest delay after the quick checks. */
const MIN_MS = 1000
/** The delay is at most this fraction of the remaining lifetime. */
const CHECKS_PER_LIFE = 4

/** Milliseconds from the end of the last check to the next; `null` for none. */
export function nextDelayMs({ intervalMs, trouble, lifeLeftMs, sourceDelayMs }: CheckState): number | null {
  // Also with the interval 0, because a push was answered with a failure, and may not be repeated.
  if (sourceDelayMs !== null) return sourceDelayMs
  const usual = intervalMs === 0 ? null : Math.min(intervalMs, Math.max(MIN_MS, lifeLeftMs / CHECKS_PER_LIFE))
  if (!trouble) return usual
  const quick = QUICK_DELAYS_MS[trouble.retries]
  if (quick !== undefined && (trouble.kind === 'waiting' || usual !== null))
    return Math.min(quick, usual ?? quick)
  if (trouble.kind === 'waiting' || usual === null) return usual
  return Math.min(usual, MIN_MS * 2 ** (trouble.retries - QUICK_DELAYS_MS.length))
}
