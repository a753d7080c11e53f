import { FairQueue } from './fair-queue.js'
import { hungThreads } from './hung-threads.js'
import type { Job } from './job.js'
import { closed, unavailable } from './task-error.js'
import { threadBudget } from './thread-budget.js'

/**
 * Tasks that run at a time in the process: two, so that an engine whose task hangs does not hold up another. While a thread
 * hangs, only one at a time.
 */
const MOST_RUNNING = 2

/** Decides when each task begins, for all pools of the process: a thread that hangs concerns all of them. */
class Scheduler {
  readonly #queue = new FairQueue<Job>()
  readonly #running = new Set<Job>()

  constructor() {
    hungThreads.onChange(() => this.pump())
  }

  submit(job: Job): void {
    this.#queue.add(job.client.lane, job)
    this.pump()
  }

  /** Gives a job that could not begin its turn again, before all others of its engine. */
  putBack(job: Job): void {
    this.#running.delete(job)
    this.#queue.putBack(job.client.lane, job)
  }

  /** To be called when a job has ended. */
  ended(job: Job): void {
    this.#running.delete(job)
    job.client.lane.running.delete(job)
  }

  /** Refuses all tasks of one engine that have not begun. */
  dismiss({ lane }: Job['client']): void {
    for (const job of [...lane.waiting]) {
      this.#queue.remove(lane, job)
      job.reject(closed())
    }
  }

  /** Begins what can begin. Is called whenever a thread may have become free, or may be started. */
  pump(): void {
    while (this.#running.size < (hungThreads.count === 0 ? MOST_RUNNING : 1)) {
      const job = this.#queue.next(({ client }) => client.pool.canBegin)
      if (!job) break
      this.#running.add(job)
      job.client.pool.begin(job)
    }
    this.#refuseWithoutThread()
  }

  /** A job without a thread waits if one may be started or will become free; otherwise it is refused. */
  #refuseWithoutThread(): void {
    for (const job of this.#queue.first) {
      const { pool, lane } = job.client
      if (pool.canBegin) continue
      if (pool.hasThread || threadBudget.mayStart) continue
      if (!threadBudget.isSpent) {
        // Another pool has the threads that may be started. The end of one is reported as a change.
        reclaimThread()
        continue
      }
      for (const waiting of [...lane.waiting]) {
        this.#queue.remove(lane, waiting)
        waiting.reject(unavailable())
      }
    }
  }
}

/** Each ends an idle thread of its pool, if that lets another pool start one; returns whether it did. */
const reclaimers = new Set<() => boolean>()

/** Adds a pool to those that give threads back; returns a function that ends this. */
export function onReclaim(giveBack: () => boolean): () => void {
  reclaimers.add(giveBack)
  return () => reclaimers.delete(giveBack)
}

function reclaimThread(): void {
  for (const giveBack of reclaimers) if (giveBack()) return
}

export const scheduler: Scheduler = new Scheduler()
