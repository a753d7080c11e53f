import { FairQueue } from './fair-queue.js'
import { hungThreads } from './hung-threads.js'
import type { Job } from './job.js'
import { closed, unavailable } from './task-error.js'
import { threadBudget } from './thread-budget.js'

/**
 * Concurrent tasks in the process: two, so that a hanging task of one engine does not block another engine. While a thread
 * hangs, the limit is one.
 */
const MAX_RUNNING = 2

/** Decides when each task begins, for all pools of the process, because a hanging thread affects all of them. */
class Scheduler {
  readonly #queue = new FairQueue<Job>()
  readonly #running = new Set<Job>()

  constructor() {
    hungThreads.onChange(() => this.pump())
  }

  submit(job: Job): void {
    this.#queue.add(job.client.engineJobs, job)
    this.pump()
  }

  /** Returns a job that could not begin to the front of its engine's queue. */
  putBack(job: Job): void {
    this.#running.delete(job)
    this.#queue.putBack(job.client.engineJobs, job)
  }

  /** Call when a job has ended. */
  ended(job: Job): void {
    this.#running.delete(job)
    job.client.engineJobs.running.delete(job)
  }

  /** Refuses the waiting tasks of one engine. */
  dismiss({ engineJobs }: Job['client']): void {
    for (const job of [...engineJobs.waiting]) {
      this.#queue.remove(engineJobs, job)
      job.reject(closed())
    }
  }

  /** Begins all jobs that can begin. Call whenever a thread may have become free, or may be started. */
  pump(): void {
    while (this.#running.size < (hungThreads.count === 0 ? MAX_RUNNING : 1)) {
      const job = this.#queue.next(({ client }) => client.pool.canBegin)
      if (!job) break
      this.#running.add(job)
      job.client.pool.begin(job)
    }
    this.#refuseWithoutThread()
  }

  /** Refuses jobs for which no thread may be started or will become free. */
  #refuseWithoutThread(): void {
    for (const job of this.#queue.first) {
      const { pool, engineJobs } = job.client
      if (pool.canBegin) continue
      if (pool.hasThread || threadBudget.mayStart) continue
      if (!threadBudget.isSpent) {
        // Another pool uses the permitted threads. The end of one is reported as a change.
        reclaimThread()
        continue
      }
      for (const waiting of [...engineJobs.waiting]) {
        this.#queue.remove(engineJobs, waiting)
        waiting.reject(unavailable())
      }
    }
  }
}

/** One callback of each pool: ends an idle thread if that lets another pool start one, and returns whether it did. */
const reclaimers = new Set<() => boolean>()

/** Adds a pool from which threads can be reclaimed. @returns a function that removes it. */
export function onReclaim(giveBack: () => boolean): () => void {
  reclaimers.add(giveBack)
  return () => reclaimers.delete(giveBack)
}

function reclaimThread(): void {
  for (const giveBack of reclaimers) if (giveBack()) return
}

export const scheduler: Scheduler = new Scheduler()
