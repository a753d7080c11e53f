import type { TestContext } from 'node:test'
import type { Worker } from 'node:worker_threads'

export interface ThreadWatch {
  /** Worker threads that were started since, and those of them that have not ended. */
  readonly started: number
  readonly alive: number
  /** Resolves when the thread that was started last has ended. */
  lastEnded(): Promise<unknown>
}

/** Sees every worker thread that the process starts from now on, until the test ends. */
export function watchThreads(t: TestContext): ThreadWatch {
  const alive = new Set<Worker>()
  let started = 0
  let ended: Promise<unknown> = Promise.resolve()
  const add = (worker: Worker) => {
    started++
    alive.add(worker)
    // Not `once(worker, 'exit')` alone: it would reject with what the thread threw.
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
