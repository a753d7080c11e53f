import type { NamedTask } from '../../workers/protocol/tasks.js'
import type { WorkerOptions } from '../api/options.js'
import type { Clock } from '../base/clock.js'
import type { EngineJobs } from './fair-queue.js'
import type { TaskError } from './task-error.js'

/** One task of one engine, from request to reply. */
export interface Job {
  readonly name: NamedTask['name']
  readonly task: NamedTask['task']
  readonly force: boolean
  readonly client: PoolClient
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: TaskError) => void
  /** Number of threads that received it and did not begin it. */
  untaken: number
}

/** The pool's view of one engine. */
export interface PoolClient {
  readonly limits: Required<WorkerOptions>
  readonly clock: Clock
  readonly engineJobs: EngineJobs<Job>
  readonly pool: JobPool
}

/** Runs jobs: the threads of all engines with the same limits. */
export interface JobPool {
  /** Whether a thread is free, or may be started. */
  readonly canBegin: boolean
  /** Whether it has a thread, which will become free. */
  readonly hasThread: boolean
  begin(job: Job): void
}
