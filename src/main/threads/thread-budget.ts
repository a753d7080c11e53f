import type { Worker } from 'node:worker_threads'

import { hungThreads } from './hung-threads.js'

/**
 * New threads that may be started in the process while one hangs: each of them may hang too. A thread that hangs
 * keeps its memory, and nothing can end it.
 */
const MOST_REPLACEMENTS = 2

/** The threads that were started while another one hung, and that have not ended. */
class ThreadBudget {
  readonly #replacements = new Set<Worker>()

  constructor() {
    // A thread that was started during an earlier hang is no replacement in a later one.
    hungThreads.onChange(() => {
      if (hungThreads.count === 0) this.#replacements.clear()
    })
  }

  /** Whether one more thread may be started now. */
  get mayStart(): boolean {
    return hungThreads.count === 0 || this.#replacements.size < MOST_REPLACEMENTS
  }

  /** Whether no thread may be started until one that hangs returns. */
  get isSpent(): boolean {
    return !this.mayStart && [...this.#replacements].every((worker) => hungThreads.hangs(worker))
  }

  /** Takes note of a thread that was started just now. */
  started(worker: Worker): void {
    if (hungThreads.count === 0) return
    this.#replacements.add(worker)
    worker.once('exit', () => this.#replacements.delete(worker))
  }

  /** Whether the end of this thread lets another one start. */
  counts(worker: Worker): boolean {
    return this.#replacements.has(worker)
  }
}

export const threadBudget: ThreadBudget = new ThreadBudget()
