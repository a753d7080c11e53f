/** How fast callers may go on. */
export interface PaceLimits {
  /** Between any two, in milliseconds. */
  readonly gapMs: number
  /** How many may come together; from then on they are `steadyMs` apart, until none has come for a while. */
  readonly burst: number
  readonly steadyMs: number
}

/**
 * Lets a caller go on. `wanted` is asked when its turn has come: a caller that is not wanted any more takes no turn, and
 * its promise never settles.
 */
export type Pace = (wanted?: () => boolean) => Promise<void>

/**
 * Lets callers go on one after the other; a caller that comes after a pause goes on at once. The generic cell rate
 * algorithm (ITU-T I.371) with a gap.
 */
export function createPace({ gapMs, burst, steadyMs }: PaceLimits): Pace {
  const waiting: { readonly wanted: () => boolean; readonly goOn: () => void }[] = []
  let timer: NodeJS.Timeout | null = null
  let nextMs = 0
  /** When the next one would be due, had all of them kept the steady pace. */
  let dueMs = 0
  const atMs = () => Math.max(nextMs, dueMs - (burst - 1) * steadyMs)
  const take = (nowMs: number) => {
    dueMs = Math.max(dueMs, nowMs) + steadyMs
    nextMs = nowMs + gapMs
  }
  const look = () => {
    timer = null
    while (waiting.length > 0) {
      const nowMs = performance.now()
      if (!waiting[0]?.wanted()) waiting.shift()
      else if (atMs() <= nowMs) {
        take(nowMs)
        waiting.shift()?.goOn()
      } else break
    }
    // A connection waits for this, and keeps the process for as long as it is open.
    if (waiting.length > 0)
      timer = setTimeout(look, Math.max(1, Math.ceil(atMs() - performance.now()))).unref()
  }
  return (wanted = () => true) => {
    const nowMs = performance.now()
    if (waiting.length === 0 && atMs() <= nowMs) {
      take(nowMs)
      return Promise.resolve()
    }
    const turn = new Promise<void>((goOn) => waiting.push({ wanted, goOn }))
    if (!timer) look()
    return turn
  }
}
