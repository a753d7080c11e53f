import { EventEmitter } from 'node:events'
import type { Transferable, Worker } from 'node:worker_threads'

import type { Piscina } from 'piscina'

import type { QuietLog } from '../../workers/look-out.js'
import {
  createProgressBuffer,
  isOver,
  isTaken,
  placeOf,
  resetProgress,
  stepsOf,
} from '../../workers/progress.js'
import type { NamedTask } from '../../workers/protocol.js'
import type { Clock } from '../clock.js'
import type { WorkerOptions } from '../options.js'
import { guardExit } from './end-process.js'
import { FairQueue, type Lane } from './fair-queue.js'
import { GRACE_MS, hungThreads } from './hung-threads.js'
import { createPiscina } from './piscina.js'
import { Quarantine } from './quarantine.js'
import { type Abortion, closed, type TaskError, taskError, unavailable } from './task-error.js'
import { TaskTimer } from './task-timer.js'

/** A second thread, so that an engine whose task hangs does not hold up another. */
const MAX_THREADS = 2

/**
 * Threads that hang in native code cannot be ended. So many of them are replaced in a process at a time; each one more takes
 * a thread away, until one returns. Never more than `MAX_THREADS + MAX_REPLACED` threads exist for one set of limits.
 */
const MAX_REPLACED = 2

/** How long an exit of the process looks whether its running tasks still make progress. */
const EXIT_PATIENCE_MS = 100

/** What Piscina takes for an AbortSignal, at a fraction of its price: a check makes one each time. */
class TaskSignal extends EventEmitter {
  aborted = false
  reason: Abortion | undefined

  abort(reason: Abortion): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.emit('abort')
  }
}

/** What a thread posts when it takes its first task. */
interface FirstTask {
  readonly taken: number
  readonly thread: number
}

/** One task of one engine, from its request to its answer. */
export interface Job {
  readonly name: NamedTask['name']
  readonly task: object
  readonly transferList: Transferable[]
  readonly force: boolean
  readonly client: PoolClient
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: TaskError) => void
  /** Threads that were given it and never began. */
  untaken: number
  signal: TaskSignal | null
}

/** One engine, as its pool sees it. */
export interface PoolClient {
  readonly limits: Required<WorkerOptions>
  readonly clock: Clock
  readonly lane: Lane<Job>
}

/**
 * The threads of all engines with the same limits. A task is handed to Piscina only when a thread is free for it, so that
 * its time limit does not run while it waits, and each engine has its turn.
 */
export class SharedPool {
  readonly #piscina: Piscina
  readonly #quarantine = new Quarantine()
  readonly #queue = new FairQueue<Job>()
  readonly #running = new Map<number, { job: Job; timer: TaskTimer; buffer: SharedArrayBuffer }>()
  readonly #buffers: SharedArrayBuffer[] = []
  /** Ids of threads that have taken a task. */
  readonly #warm = new Set<number>()
  readonly #stopListening: () => void
  #numbers = 0
  readonly #looks = new Set<QuietLog>()
  readonly #endGuard: () => void

  constructor(limits: Required<WorkerOptions>, tasks: URL | null) {
    this.#piscina = createPiscina(limits, tasks, MAX_THREADS)
    this.#piscina.on('message', ({ taken, thread }: FirstTask) => {
      this.#running.get(taken)?.timer.taken()
      this.#warm.add(thread)
    })
    // Without a listener, an idle thread that dies would end the process; the next task starts another thread.
    this.#piscina.on('error', (error: NodeJS.ErrnoException | undefined) => {
      // Threads that cannot even start would be waited for until the time is over.
      if (this.#piscina.threads.length > 0 || this.#piscina.queueSize === 0) return
      for (const { job } of [...this.#running.values()]) {
        this.#giveUp(job, { why: 'no-thread', code: error?.code }, null)
      }
    })
    this.#stopListening = hungThreads.onChange(() => this.#pump())
    this.#endGuard = guardExit(() => this.#mayHang())
  }

  submit(job: Job): void {
    this.#queue.add(job.client.lane, job)
    this.#pump()
  }

  /** Gives up every task of one engine. */
  dismiss({ lane }: PoolClient): void {
    for (const job of [...lane.waiting]) {
      this.#queue.remove(lane, job)
      job.reject(closed())
    }
    for (const job of lane.running) this.#giveUp(job, { why: 'closed' }, null)
  }

  /** Piscina ends a thread for which it has had no task for a while, and does not know of standing looks. */
  keepThread(looks: QuietLog): void {
    this.#looks.add(looks)
    this.#setLeast()
  }

  /** @param ends whether the pool is about to be destroyed. */
  releaseThread(looks: QuietLog, ends: boolean): void {
    this.#looks.delete(looks)
    this.#setLeast()
    const isIdle = this.#looks.size === 0 && this.#piscina.threads.length > 0
    // Piscina counts the idle time from the end of a task, once.
    if (isIdle && !ends && this.#running.size === 0) this.#runNothing()
  }

  /** Ends the threads. Resolves when they have ended, or after a moment where one hangs. */
  async destroy(): Promise<void> {
    const threads = this.#piscina.threads
    this.#stopListening()
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GRACE_MS)
    })
    const ended = new Set<Worker>()
    for (const thread of threads) thread.once('exit', () => ended.add(thread))
    await Promise.race([this.#piscina.destroy(), patience])
    clearTimeout(timer)
    for (const thread of threads) if (!ended.has(thread)) hungThreads.add(thread, null)
    this.#endGuard()
  }

  /** Asked when the process exits: whether a thread makes no progress, and may be in native code that nothing ends. */
  #mayHang(): boolean {
    const tasks = [...this.#running.values()].map(({ buffer }) => ({ buffer, steps: stepsOf(buffer) }))
    const looks = [...this.#looks].filter((quiet) => Atomics.load(quiet, 2) === 1n)
    if (tasks.length + looks.length === 0) return false
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_PATIENCE_MS)
    return (
      tasks.some(({ buffer, steps }) => isTaken(buffer) && !isOver(buffer) && stepsOf(buffer) === steps) ||
      looks.some((quiet) => Atomics.load(quiet, 2) === 1n)
    )
  }

  /** How many threads may work now. */
  #capacity(): number {
    return Math.max(0, MAX_THREADS - Math.max(0, hungThreads.count - MAX_REPLACED))
  }

  #pump(): void {
    this.#setLeast()
    while (this.#running.size < this.#capacity()) {
      const job = this.#queue.next()
      if (!job) return
      this.#start(job)
    }
    const isBlocked = this.#running.size === 0 && this.#capacity() === 0
    // A thread that was ended a moment ago may be gone in a moment.
    if (!isBlocked || hungThreads.confirmed.length < hungThreads.count) return
    for (const job of this.#queue.drain()) job.reject(unavailable())
  }

  #start(job: Job): void {
    const { name, task, transferList, client, force } = job
    const { clock, lane, limits } = client
    const buffer = this.#buffers.pop() ?? createProgressBuffer()
    resetProgress(buffer)
    const number = ++this.#numbers
    const signal = new TaskSignal()
    job.signal = signal
    const isWarm = this.#hasWarmThread()
    const timer = new TaskTimer(clock, limits.timeoutMs, buffer, isWarm, (taken) => {
      const path = placeOf(buffer)?.path ?? null
      this.#giveUp(job, { why: taken ? 'timeout' : 'untaken' }, path)
    })
    this.#running.set(number, { job, timer, buffer })
    const progress = { buffer, number, poisons: this.#quarantine.poisons(force, clock) }
    const release = () => {
      timer.stop()
      this.#running.delete(number)
      lane.running.delete(job)
      // A thread that was given up may write to it still.
      if (!signal.aborted && this.#buffers.length < MAX_THREADS) this.#buffers.push(buffer)
    }
    this.#piscina.run({ name, task, progress } satisfies NamedTask, { signal, transferList }).then(
      (reply) => {
        release()
        lane.suspect = false
        job.resolve(reply)
        this.#pump()
      },
      (error: unknown) => {
        release()
        if (signal.reason?.why === 'untaken' && job.untaken++ === 0 && transferList.length === 0) {
          this.#queue.add(lane, job)
        } else {
          lane.suspect = signal.reason?.why === 'timeout'
          job.reject(this.#failure(error, job, buffer, timer))
        }
        this.#pump()
      },
    )
  }

  #failure(error: unknown, { signal, client }: Job, buffer: SharedArrayBuffer, timer: TaskTimer): TaskError {
    const hung = signal?.reason?.why === 'timeout'
    const died = signal?.reason === undefined && isTaken(buffer)
    const place = died || (hung && timer.isStuck) ? placeOf(buffer) : null
    const failure = taskError(error, signal?.reason, client.limits, place)
    if (place && (failure.code === 'WORKER_TIMEOUT' || failure.code === 'WORKER_CRASHED')) {
      const how = hung ? `held a thread for ${client.limits.timeoutMs} ms` : 'ended a thread'
      this.#quarantine.add(place, failure.code, how, client.clock)
    }
    return failure
  }

  /** Ends the thread of a task. It may hang, and then it is kept account of. */
  #giveUp({ signal }: Job, abortion: Abortion, path: string | null): void {
    const before = this.#piscina.threads
    // Otherwise Piscina replaces the thread at once, whether or not one more may be started.
    this.#piscina.options.minThreads = 0
    signal?.abort(abortion)
    const left = new Set(this.#piscina.threads)
    for (const thread of before) if (!left.has(thread)) hungThreads.add(thread, path)
    this.#setLeast()
  }

  /** Whether the next task goes to a thread that has worked before. */
  #hasWarmThread(): boolean {
    const { threads } = this.#piscina
    const isIdle = threads.length > this.#running.size
    return isIdle && threads.every(({ threadId }) => this.#warm.has(threadId))
  }

  #setLeast(): void {
    this.#piscina.options.minThreads = this.#looks.size > 0 && this.#capacity() > 0 ? 1 : 0
  }

  /** A task that does nothing, after which Piscina counts the idle time. */
  #runNothing(): void {
    const signal = AbortSignal.timeout(GRACE_MS)
    this.#piscina
      .run({ name: 'verify', task: { targets: [] } } satisfies NamedTask, { signal })
      .catch(() => {})
  }
}
