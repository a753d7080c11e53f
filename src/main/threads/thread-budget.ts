import type { Worker } from 'node:worker_threads'

import { hungThreads } from './hung-threads.js'

/**
 * New threads that may be started in the process while one hangs. The limit is low because each of them may hang as well, and
 * a hanging thread keeps its memory and cannot be ended.
 */
const MAX_REPLACEMENTS = 2

/** Limits the threads that are started while another one hangs. */
class ThreadBudget {
  readonly #replacements = new Set<Worker>()

  constructor() {
    // A thread that was started during one hang does not count during a later one.
    hungThreads.onChange(() => {
      if (hungThreads.count === 0) this.#replacements.clear()
    })
  }

  /** Whether a thread may be started now. */
  get mayStart(): boolean {
    return hungThreads.count === 0 || this.#replacements.size < MAX_REPLACEMENTS
  }

  /** Whether no thread may be started until a hanging one returns. */
  get isSpent(): boolean {
    return !this.mayStart && [...this.#replacements].every((worker) => hungThreads.hangs(worker))
  }

  /** Call for each thread that has just been started. */
  started(worker: Worker): void {
    if (hungThreads.count === 0) return
    this.#replacements.add(worker)
    worker.once('exit', () => this.#replacements.delete(worker))
  }

  /** Whether the end of this thread would let another one start. */
  counts(worker: Worker): boolean {
    return this.#replacements.has(worker)
  }
}

export const threadBudget: ThreadBudget = new ThreadBudget()
