import {
  createProgressBuffer,
  isOver,
  isTaken,
  locatedIn,
  placeOf,
  resetProgress,
  stepsOf,
} from '../../workers/progress/progress.js'
import type { NamedTask } from '../../workers/protocol/tasks.js'
import type { WorkerOptions } from '../api/options.js'
import { guardExit } from './guard-exit.js'
import { GRACE_MS, hungThreads } from './hung-threads.js'
import type { Job, JobPool, PoolClient } from './job.js'
import { PoolThread } from './pool-thread.js'
import { quarantine } from './quarantine.js'
import { onReclaim, scheduler } from './scheduler.js'
import { type Abortion, couldNotStart, type TaskError, taskError } from './task-error.js'
import { TaskSignal } from './task-signal.js'
import { TaskTimer } from './task-timer.js'
import { threadBudget } from './thread-budget.js'

/** How long the exit of the process checks whether its running tasks make progress, in milliseconds. */
const EXIT_CHECK_MS = 100

/** Buffers kept for reuse: as many as tasks can run at a time. */
const MAX_BUFFERS = 2

/** A job that a thread runs. */
interface Running {
  readonly job: Job
  readonly thread: PoolThread
  readonly timer: TaskTimer
  readonly buffer: SharedArrayBuffer
  readonly signal: TaskSignal
  /** Whether the thread had taken a task before. */
  readonly wasWarm: boolean
}

/**
 * The threads of all engines with the same limits. Only a free thread receives a task, so that waiting time does not count for
 * the time limit.
 */
export class SharedPool implements JobPool {
  readonly #limits: Required<WorkerOptions>
  readonly #tasks: URL | null
  readonly #threads = new Set<PoolThread>()
  readonly #running = new Map<number, Running>()
  readonly #buffers: SharedArrayBuffer[] = []
  readonly #endGuard: () => void
  readonly #endReclaim: () => void
  #numbers = 0
  /** Whether the system refused a further thread. Reset when a thread becomes free or ends. */
  #isFull = false

  constructor(limits: Required<WorkerOptions>, tasks: URL | null) {
    this.#limits = limits
    this.#tasks = tasks
    this.#endGuard = guardExit(() => this.#mayHang())
    this.#endReclaim = onReclaim(() => this.#giveThreadBack())
  }

  submit(job: Job): void {
    scheduler.submit(job)
  }

  get canBegin(): boolean {
    return this.#freeThread() !== undefined || (!this.#isFull && threadBudget.mayStart)
  }

  get hasThread(): boolean {
    return this.#threads.size > 0
  }

  begin(job: Job): void {
    let thread = this.#freeThread()
    try {
      thread ??= this.#startThread()
    } catch (error) {
      this.#refuseWithout(job, error)
      return
    }
    this.#run(job, thread)
  }

  /** Gives up every task of one engine. */
  dismiss(client: PoolClient): void {
    scheduler.dismiss(client)
    for (const running of [...this.#running.values()]) {
      if (running.job.client === client) this.#giveUp(running, { why: 'closed' })
    }
  }

  /** Ends the threads. Resolves when they have ended, at the latest after {@link GRACE_MS}. */
  async destroy(): Promise<void> {
    const ended = [...this.#threads].map(async (thread) => {
      const exit = new Promise((resolve) => thread.worker.once('exit', resolve))
      thread.giveUp(null, 0)
      await exit
    })
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GRACE_MS)
    })
    await Promise.race([Promise.all(ended), grace])
    clearTimeout(timer)
    this.#endReclaim()
    this.#endGuard()
  }

  /** Prefers a warm thread, which begins immediately. */
  #freeThread(): PoolThread | undefined {
    const free = [...this.#threads].filter(({ isFree }) => isFree)
    return free.find(({ isWarm }) => isWarm) ?? free[0]
  }

  /** @throws the error of `new Worker()`. */
  #startThread(): PoolThread {
    const thread = new PoolThread(
      this.#limits,
      this.#tasks,
      (number) => this.#running.get(number)?.timer.taken(),
      () => {
        this.#threads.delete(thread)
        this.#isFull = false
        scheduler.pump()
      },
    )
    this.#threads.add(thread)
    return thread
  }

  /** Handles a thread that could not be started: the job waits for another thread of this pool, or fails without one. */
  #refuseWithout(job: Job, error: unknown): void {
    if (this.hasThread) {
      this.#isFull = true
      scheduler.putBack(job)
      return
    }
    scheduler.ended(job)
    job.reject(couldNotStart(error))
  }

  #run(job: Job, thread: PoolThread): void {
    const { name, task, client, force } = job
    const { clock, engineJobs, limits } = client
    const buffer = this.#buffers.pop() ?? createProgressBuffer()
    resetProgress(buffer)
    const number = ++this.#numbers
    const signal = new TaskSignal()
    const wasWarm = thread.isWarm
    const timer = new TaskTimer(clock, limits.timeoutMs, buffer, wasWarm, (taken) => {
      this.#giveUp(running, { why: taken ? 'timeout' : 'untaken' })
    })
    const running: Running = { job, thread, timer, buffer, signal, wasWarm }
    this.#running.set(number, running)
    const progress = {
      buffer,
      number,
      refusedFiles: quarantine.refusedFiles(force, this, clock),
      ...(wasWarm ? {} : { hangs: hungThreads.list }),
    }
    const release = () => {
      timer.stop()
      this.#running.delete(number)
      this.#isFull = false
      scheduler.ended(job)
      if (hungThreads.count > 0) hungThreads.locate(locatedIn(buffer))
      // A thread that was given up may still write to it.
      if (!signal.aborted && this.#buffers.length < MAX_BUFFERS) this.#buffers.push(buffer)
    }
    thread.run({ name, task, progress } satisfies NamedTask, signal).then(
      (reply) => {
        release()
        engineJobs.suspect = false
        job.resolve(reply)
        scheduler.pump()
      },
      (error: unknown) => {
        release()
        if (this.#mayTryAgain(running)) {
          job.untaken++
          scheduler.submit(job)
          return
        }
        engineJobs.suspect = signal.reason?.why === 'timeout'
        job.reject(this.#failure(error, running))
        scheduler.pump()
      },
    )
  }

  /** Whether no thread has taken the task, and another one may try. A cold thread that ended has failed to start. */
  #mayTryAgain({ job, buffer, signal, wasWarm }: Running): boolean {
    if (job.untaken > 0 || isTaken(buffer)) return false
    if (signal.reason) return signal.reason.why === 'untaken'
    return wasWarm || this.hasThread
  }

  #failure(error: unknown, { job, signal, buffer, timer }: Running): TaskError {
    const { client } = job
    if (!signal.reason && !isTaken(buffer)) return couldNotStart(error)
    const hung = signal.reason?.why === 'timeout'
    const died = signal.reason === undefined
    const place = died || (hung && timer.isStuck) ? placeOf(buffer) : null
    const failure = taskError(error, signal.reason, client.limits, place)
    if (place && (failure.code === 'WORKER_TIMEOUT' || failure.code === 'WORKER_CRASHED')) {
      const how = hung ? `held a worker thread for ${client.limits.timeoutMs} ms` : 'ended a worker thread'
      quarantine.add(place, failure.code, how, this, client.clock)
    }
    return failure
  }

  /** Ends the thread of a task. */
  #giveUp({ thread, signal, buffer, timer }: Running, abortion: Abortion): void {
    const at = isTaken(buffer) ? placeOf(buffer) : null
    const { stillMs } = timer
    // Before the end of the thread, so that the task fails for this reason.
    signal.abort(abortion)
    thread.giveUp(at, stillMs)
  }

  /** Ends an idle thread, so that another pool may start one. */
  #giveThreadBack(): boolean {
    const thread = [...this.#threads].find(({ isFree, worker }) => isFree && threadBudget.counts(worker))
    thread?.giveUp(null, 0)
    return thread !== undefined
  }

  /** Called at the exit of the process: whether a thread makes no progress, so that it may be in native code. */
  #mayHang(): boolean {
    const tasks = [...this.#running.values()].map(({ buffer }) => ({ buffer, steps: stepsOf(buffer) }))
    if (tasks.length === 0) return false
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_CHECK_MS)
    const isStill = ({ buffer, steps }: (typeof tasks)[number]) =>
      isTaken(buffer) && !isOver(buffer) && stepsOf(buffer) === steps
    return tasks.some(isStill)
  }
}
