import { setTimeout as delay } from 'node:timers/promises'

/** Lets callers go on one after the other, this far apart; whoever comes after a pause goes on at once. */
export function createPace(gapMs: number): () => Promise<void> {
  let nextMs = 0
  return async () => {
    const nowMs = performance.now()
    const atMs = Math.max(nowMs, nextMs)
    nextMs = atMs + gapMs
    if (atMs > nowMs) await delay(atMs - nowMs)
  }
}
