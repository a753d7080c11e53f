/** What decides when the engine looks again. */
export interface CheckState {
  /** The interval in milliseconds; 0 is off. */
  readonly intervalMs: number
  /** What is wrong, if anything, and how often it has been looked at since it (or the disk) last changed. */
  readonly trouble: { readonly kind: 'waiting' | 'failing'; readonly looks: number } | null
  /** Milliseconds until the served certificate expires. */
  readonly lifeLeftMs: number
}

/** After something went wrong, a renewal is most likely under way: these looks follow, in milliseconds. */
const QUICK_LOOKS_MS = [50, 100, 200, 400, 800] as const
/** No more often than this once the quick looks are over. */
const LEAST_MS = 1000
/** With less life than this many intervals left, the checks move closer together. */
const CHECKS_PER_LIFE = 4

/** Milliseconds from the end of the last check to the next; `null` for none. */
export function nextDelayMs({ intervalMs, trouble, lifeLeftMs }: CheckState): number | null {
  const usual =
    intervalMs === 0 ? null : Math.min(intervalMs, Math.max(LEAST_MS, lifeLeftMs / CHECKS_PER_LIFE))
  if (!trouble) return usual
  const quick = QUICK_LOOKS_MS[trouble.looks]
  if (quick !== undefined && (trouble.kind === 'waiting' || usual !== null))
    return Math.min(quick, usual ?? quick)
  if (trouble.kind === 'waiting' || usual === null) return usual
  return Math.min(usual, LEAST_MS * 2 ** (trouble.looks - QUICK_LOOKS_MS.length))
}
