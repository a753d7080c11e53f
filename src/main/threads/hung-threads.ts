import type { Worker } from 'node:worker_threads'

import { guardExit } from './end-process.js'

/**
 * Threads that were ended and still run. A thread in JavaScript ends within milliseconds; one in native code, or in a system
 * call, ends when that returns, which may be never.
 *
 * Counted for the whole process: a hanging thread takes a processor, or memory, whichever engine started it.
 */
class HungThreads {
  readonly #threads = new Map<Worker, HungThread>()
  readonly #listeners = new Set<() => void>()
  #endGuard: (() => void) | null = null

  /** Threads that have not ended, including those that are about to. */
  get count(): number {
    return this.#threads.size
  }

  /** Those that were given {@link GRACE_MS} to end. */
  get confirmed(): readonly HungThread[] {
    return [...this.#threads.values()].filter(({ confirmed }) => confirmed)
  }

  /** Takes note of a thread that has just been ended. @param path what it was at, `null` when that is not known. */
  add(worker: Worker, path: string | null): void {
    const thread: HungThread = { path, sinceMs: performance.now(), confirmed: false }
    this.#threads.set(worker, thread)
    this.#endGuard ??= guardExit(() => true)
    const timer = setTimeout(() => {
      thread.confirmed = true
      // `terminate()` keeps the process running until the thread has ended.
      worker.unref()
      this.#changed()
    }, GRACE_MS)
    worker.once('exit', () => {
      clearTimeout(timer)
      this.#threads.delete(worker)
      if (this.#threads.size === 0) {
        this.#endGuard?.()
        this.#endGuard = null
      }
      this.#changed()
    })
  }

  /** Whether a thread still hangs at this file. */
  hangsAt(path: string): boolean {
    return [...this.#threads.values()].some((thread) => thread.path === path)
  }

  /** Calls back when a thread has ended, and when one turned out to hang; returns a function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

interface HungThread {
  readonly path: string | null
  readonly sinceMs: number
  /** Whether it has had {@link GRACE_MS} to end. */
  confirmed: boolean
}

/** How long an ended thread may take before it counts as hanging. */
export const GRACE_MS = 500

export const hungThreads: HungThreads = new HungThreads()

/** Which files the threads hang at, and for how long, for a message. */
export function describeHungThreads(): string {
  const nowMs = performance.now()
  return hungThreads.confirmed
    .map(
      ({ path, sinceMs }) => `${path ?? 'an unknown place'} (for ${Math.round((nowMs - sinceMs) / 1000)} s)`,
    )
    .join(', ')
}
