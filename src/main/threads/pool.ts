import { MessageChannel, type MessagePort, type Transferable } from 'node:worker_threads'

import { createProgressBuffer } from '../../workers/progress/progress.js'
import type {
  PrepareHostsReply,
  PrepareHostsTask,
  SealHostsReply,
  SealHostsTask,
} from '../../workers/protocol/hosts.js'
import type { JudgePeersReply, JudgePeersTask } from '../../workers/protocol/judge-peers.js'
import type { LookOutTask, QuietLog } from '../../workers/protocol/look-out.js'
import type { PrepareReply, PrepareTask } from '../../workers/protocol/prepare.js'
import type { ReadTextReply, ReadTextTask } from '../../workers/protocol/read-text.js'
import type { ReplyOf, TaskName, TaskOf } from '../../workers/protocol/tasks.js'
import type { VerifyReply, VerifyTask } from '../../workers/protocol/verify.js'
import type { WorkerOptions } from '../api/options.js'
import type { Clock } from '../base/clock.js'
import { ReloadError } from '../base/errors.js'
import { createLane } from './fair-queue.js'
import { hungThreads } from './hung-threads.js'
import type { Job, PoolClient } from './job.js'
import type { StandingLooks } from './pool-thread.js'
import { SharedPool } from './shared-pool.js'
import { unavailable } from './task-error.js'
import { threadCode } from './thread-code.js'

/** The worker side of one engine. Engines with the same limits share their threads. */
export interface Worker {
  /**
   * Runs one PREPARE in a worker thread. The time limit runs from the moment a thread takes the task.
   *
   * @throws TaskError `WORKER_TIMEOUT`, `WORKER_CRASHED`, `WORKER_UNAVAILABLE` or `CLOSED`.
   */
  prepare(task: PrepareTask): Promise<PrepareReply>
  prepareHosts(task: PrepareHostsTask): Promise<PrepareHostsReply>
  sealHosts(task: SealHostsTask): Promise<SealHostsReply>
  /** Dials listeners from the worker. @throws TaskError as `prepare` does. */
  verify(task: VerifyTask): Promise<VerifyReply>
  /** Holds peers against a trust. @throws TaskError as `prepare` does. */
  judgePeers(task: JudgePeersTask): Promise<JudgePeersReply>
  /** Reads a file that is no part of the material. @throws TaskError as `prepare` does. */
  readText(task: ReadTextTask): Promise<ReadTextReply>
  /**
   * Has a thread stand by for {@link Watchman | looks}. As long as the port is open, one thread is kept; it closes when
   * that ends. While a thread hangs, none is kept for looks.
   *
   * @throws TaskError as `prepare` does.
   */
  lookOut(): Promise<Watchman>
  /**
   * Calls back when a thread that hung has ended, so that files may be readable again that were left alone; returns a
   * function that ends this.
   */
  onReturn(listener: () => void): () => void
  /** Ends the tasks of this engine, and the threads once no engine needs them. A thread that hangs does not delay it. */
  close(): Promise<void>
}

/** A thread that answers in shared memory, and by a message when the answer is no. */
export interface Watchman {
  /** Takes a `LookOutOrder`, or `null` to rest. */
  readonly port: MessagePort
  readonly quiet: QuietLog
}

interface RunOptions {
  readonly force?: boolean
  readonly transferList?: Transferable[]
  readonly looks?: StandingLooks
}

interface LeasedPool {
  readonly pool: SharedPool
  leases: number
}

const pools = new Map<string, LeasedPool>()

/** @param tasks - another module than that of the package, for a test. @throws ReloadError `WORKER_UNAVAILABLE` */
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
  const client: PoolClient = { limits, clock, lane: createLane<Job>(), pool }
  const watchmen = new Map<MessagePort, StandingLooks>()
  let closed = false

  async function run<Name extends TaskName>(
    name: Name,
    task: TaskOf<Name>,
    { force = false, transferList = [], looks }: RunOptions = {},
  ): Promise<ReplyOf<Name>> {
    assertOpen()
    const reply = await new Promise<unknown>((resolve, reject) => {
      const job = { name, task, transferList, force, client, resolve, reject, untaken: 0 }
      pool.submit(looks ? { ...job, looks } : job)
    })
    return reply as ReplyOf<Name>
  }

  function assertOpen(): void {
    if (closed) throw new ReloadError('CLOSED', 'the reload engine is closed')
  }

  function dismiss(port: MessagePort): void {
    const looks = watchmen.get(port)
    if (!looks) return
    watchmen.delete(port)
    pool.releaseLooks(looks, limits.timeoutMs)
  }

  return {
    prepare: (task) => run('prepare', task, { force: task.force }),
    prepareHosts: (task) => run('prepareHosts', task, { force: task.force }),
    sealHosts: (task) => run('sealHosts', task),
    verify: (task) => run('verify', task),
    judgePeers: (task) => run('judgePeers', task),
    readText: (task) => run('readText', task),
    async lookOut() {
      assertOpen()
      // The few threads that may be started are for the tasks of all engines.
      if (hungThreads.count > 0) throw unavailable()
      const { port1: port, port2 } = new MessageChannel()
      const quiet: QuietLog = new BigInt64Array(new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT))
      const buffer = createProgressBuffer()
      const looks: StandingLooks = { quiet, buffer, lost: () => port.close() }
      watchmen.set(port, looks)
      port.once('close', () => dismiss(port))
      try {
        const task: LookOutTask = { port: port2, quiet, buffer }
        await run('lookOut', task, { transferList: [port2], looks })
      } catch (error) {
        port.close()
        throw error
      }
      return { port, quiet }
    },
    onReturn: (listener) =>
      hungThreads.onReturn((_at, hung) => {
        if (hung) listener()
      }),
    async close() {
      if (closed) return
      closed = true
      leased.leases--
      pool.dismiss(client)
      for (const port of watchmen.keys()) {
        port.close()
        dismiss(port)
      }
      if (leased.leases > 0) return
      pools.delete(key)
      await pool.destroy()
    },
  }
}
