import { setTimeout as delay } from 'node:timers/promises'

/** How fast callers may go on. */
export interface PaceLimits {
  /** Between any two, in milliseconds. */
  readonly gapMs: number
  /** So many may come together; from then on they are `steadyMs` apart, until nobody has come for a while. */
  readonly burst: number
  readonly steadyMs: number
}

/**
 * Lets callers go on one after the other; whoever comes after a pause goes on at once. The generic cell rate algorithm
 * (ITU-T I.371) with a gap.
 */
export function createPace({ gapMs, burst, steadyMs }: PaceLimits): () => Promise<void> {
  let nextMs = 0
  /** When the next one would be due, had all of them kept the steady pace. */
  let dueMs = 0
  return async () => {
    const nowMs = performance.now()
    dueMs = Math.max(dueMs, nowMs)
    const atMs = Math.max(nowMs, nextMs, dueMs - (burst - 1) * steadyMs)
    dueMs += steadyMs
    nextMs = atMs + gapMs
    // Whoever waits has a connection, which keeps the process for as long as it is open.
    if (atMs > nowMs) await delay(atMs - nowMs, undefined, { ref: false })
  }
}
