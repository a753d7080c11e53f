import type { TestContext } from 'node:test'
import type { Worker } from 'node:worker_threads'

export interface ThreadWatch {
  /** Number of worker threads started since, and of those still running. */
  readonly started: number
  readonly alive: number
  /** Resolves when the last started thread has ended. */
  lastEnded(): Promise<unknown>
}

/** Watches every worker thread that the process starts, until the test ends. */
export function watchThreads(t: TestContext): ThreadWatch {
  const alive = new Set<Worker>()
  let started = 0
  let ended: Promise<unknown> = Promise.resolve()
  const add = (worker: Worker) => {
    started++
    alive.add(worker)
    // Not `once(worker, 'exit')`, which rejects with the error of the thread.
    ended = new Promise((resolve) => worker.once('exit', resolve))
    worker.once('exit', () => alive.delete(worker))
  }
  process.on('worker', add)
  t.after(() => process.off('worker', add))
  return {
    get started() {
      return started
    },
    get alive() {
      return alive.size
    },
    lastEnded: () => ended,
  }
}
