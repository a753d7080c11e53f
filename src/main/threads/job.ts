import type { NamedTask } from '../../workers/protocol/tasks.js'
import type { WorkerOptions } from '../api/options.js'
import type { Clock } from '../base/clock.js'
import type { Lane } from './fair-queue.js'
import type { TaskError } from './task-error.js'

/** One task of one engine, from its request to its answer. */
export interface Job {
  readonly name: NamedTask['name']
  readonly task: NamedTask['task']
  readonly force: boolean
  readonly client: PoolClient
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: TaskError) => void
  /** Threads that were given it and never began. */
  untaken: number
}

/** One engine, as its pool sees it. */
export interface PoolClient {
  readonly limits: Required<WorkerOptions>
  readonly clock: Clock
  readonly lane: Lane<Job>
  readonly pool: JobPool
}

/** What begins jobs: the threads of engines with the same limits. */
export interface JobPool {
  /** Whether a thread is free, or may be started. */
  readonly canBegin: boolean
  /** Whether any thread of its own will become free. */
  readonly hasThread: boolean
  begin(job: Job): void
}
