/** Limits of the rate at which callers continue. */
export interface PaceLimits {
  /** Minimum milliseconds between any two callers. */
  readonly gapMs: number
  /** Callers that only need the gap; further ones are `steadyMs` apart, until the burst has recovered. */
  readonly burst: number
  readonly steadyMs: number
}

/**
 * Resolves when the caller may continue. If `wanted` returns `false` at its turn, the caller is skipped, and its promise
 * never settles.
 */
export type Pace = (wanted?: () => boolean) => Promise<void>

/**
 * Makes a pace for callers in the order of their calls; after a pause, a caller continues at once. The generic cell rate
 * algorithm (ITU-T I.371) with a minimum gap.
 */
export function createPace({ gapMs, burst, steadyMs }: PaceLimits): Pace {
  const waiting: { readonly wanted: () => boolean; readonly proceed: () => void }[] = []
  let timer: NodeJS.Timeout | null = null
  let nextMs = 0
  /** Time at which the next caller would be due at the steady pace. */
  let dueMs = 0
  const atMs = () => Math.max(nextMs, dueMs - (burst - 1) * steadyMs)
  const take = (nowMs: number) => {
    dueMs = Math.max(dueMs, nowMs) + steadyMs
    nextMs = nowMs + gapMs
  }
  const advance = () => {
    timer = null
    while (waiting.length > 0) {
      const nowMs = performance.now()
      if (!waiting[0]?.wanted()) waiting.shift()
      else if (atMs() <= nowMs) {
        take(nowMs)
        waiting.shift()?.proceed()
      } else break
    }
    // `unref`: the open connection that waits for this keeps the process running.
    if (waiting.length > 0)
      timer = setTimeout(advance, Math.max(1, Math.ceil(atMs() - performance.now()))).unref()
  }
  return (wanted = () => true) => {
    const nowMs = performance.now()
    if (waiting.length === 0 && atMs() <= nowMs) {
      take(nowMs)
      return Promise.resolve()
    }
    const turn = new Promise<void>((proceed) => waiting.push({ wanted, proceed }))
    if (!timer) advance()
    return turn
  }
}
