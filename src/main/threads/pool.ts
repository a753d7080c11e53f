import type {
  PrepareHostsReply,
  PrepareHostsTask,
  SealHostsReply,
  SealHostsTask,
} from '../../workers/protocol/hosts.js'
import type { JudgePeersReply, JudgePeersTask } from '../../workers/protocol/judge-peers.js'
import type { PrepareReply, PrepareTask } from '../../workers/protocol/prepare.js'
import type { ReadTextReply, ReadTextTask } from '../../workers/protocol/read-text.js'
import type { ReplyOf, TaskName, TaskOf } from '../../workers/protocol/tasks.js'
import type { VerifyReply, VerifyTask } from '../../workers/protocol/verify.js'
import type { WorkerOptions } from '../api/options.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { createEngineJobs } from './fair-queue.js'
import { hungThreads } from './hung-threads.js'
import type { Job, PoolClient } from './job.js'
import { SharedPool } from './shared-pool.js'
import { threadCode } from './thread-code.js'

/** The worker side of one engine. Engines with the same limits share their threads. */
export interface Worker {
  /**
   * Runs one PREPARE in a worker thread. The time limit begins when a thread takes the task.
   *
   * @throws TaskError `WORKER_TIMEOUT`, `WORKER_CRASHED`, `WORKER_UNAVAILABLE` or `CLOSED`.
   */
  prepare(task: PrepareTask): Promise<PrepareReply>
  prepareHosts(task: PrepareHostsTask): Promise<PrepareHostsReply>
  sealHosts(task: SealHostsTask): Promise<SealHostsReply>
  /** Dials listeners from the worker. @throws TaskError as `prepare` does. */
  verify(task: VerifyTask): Promise<VerifyReply>
  /** Judges client certificates by a trust. @throws TaskError as `prepare` does. */
  judgePeers(task: JudgePeersTask): Promise<JudgePeersReply>
  /** Reads a file that is not part of the material. @throws TaskError as `prepare` does. */
  readText(task: ReadTextTask): Promise<ReadTextReply>
  /**
   * Calls back when a hung thread has ended, so that files that were skipped may be readable again.
   *
   * @returns a function that removes the listener.
   */
  onReturn(listener: () => void): () => void
  /** Ends the tasks of this engine, and the threads if no engine needs them any more. A hanging thread does not delay it. */
  close(): Promise<void>
}

interface LeasedPool {
  readonly pool: SharedPool
  leases: number
}

const pools = new Map<string, LeasedPool>()

/** @param tasks - the module of the tasks; tests pass their own. @throws ReloadError `WORKER_UNAVAILABLE` */
export function openWorker(
  limits: Required<WorkerOptions>,
  clock: Clock,
  tasks: URL | null = threadCode().tasks,
): Worker {
  const key = JSON.stringify([tasks?.href, limits.idleTimeoutMs, limits.memoryLimitMb])
  const leased = pools.get(key) ?? { pool: new SharedPool(limits, tasks), leases: 0 }
  pools.set(key, leased)
  leased.leases++
  const { pool } = leased
  const client: PoolClient = { limits, clock, engineJobs: createEngineJobs<Job>(), pool }
  let closed = false

  async function run<Name extends TaskName>(
    name: Name,
    task: TaskOf<Name>,
    force = false,
  ): Promise<ReplyOf<Name>> {
    if (closed) throw new ReloadError('CLOSED', 'the reload engine is closed')
    const reply = await new Promise<unknown>((resolve, reject) => {
      pool.submit({ name, task, force, client, resolve, reject, untaken: 0 })
    })
    return reply as ReplyOf<Name>
  }

  return {
    prepare: (task) => run('prepare', task, task.force),
    prepareHosts: (task) => run('prepareHosts', task, task.force),
    sealHosts: (task) => run('sealHosts', task),
    verify: (task) => run('verify', task),
    judgePeers: (task) => run('judgePeers', task),
    readText: (task) => run('readText', task),
    onReturn: (listener) =>
      hungThreads.onReturn((_at, hung) => {
        if (hung) listener()
      }),
    async close() {
      if (closed) return
      closed = true
      leased.leases--
      pool.dismiss(client)
      if (leased.leases > 0) return
      pools.delete(key)
      await pool.destroy()
    },
  }
}
