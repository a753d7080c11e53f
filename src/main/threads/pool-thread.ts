import type { Transferable, Worker } from 'node:worker_threads'

import type { Piscina } from 'piscina'

import { monotonicMs } from '../../workers/base/monotonic.js'
import { placeOf, type TaskPlace } from '../../workers/progress/progress.js'
import type { QuietLog } from '../../workers/protocol/look-out.js'
import type { NamedTask } from '../../workers/protocol/tasks.js'
import type { WorkerOptions } from '../api/options.js'
import { hungThreads } from './hung-threads.js'
import { createPiscina } from './piscina.js'
import type { TaskSignal } from './task-signal.js'
import { threadBudget } from './thread-budget.js'

/** A look that takes longer than this, in milliseconds, is on slow storage or hangs: no task waits behind it. */
const LONG_LOOK_MS = 1000

/** The standing looks of one engine, in one thread. */
export interface StandingLooks {
  readonly quiet: QuietLog
  /** Where they mark the file that they are at. */
  readonly buffer: SharedArrayBuffer
  /** Is called when their thread has ended or was given up. */
  readonly lost: () => void
}

/** What a thread posts when it takes its first task. */
interface FirstTask {
  readonly taken: number
}

/** One worker thread, from its start to its end. It is never replaced by another one under the same object. */
export class PoolThread {
  readonly worker: Worker
  /** Engines whose standing looks it makes. */
  readonly looks: Set<StandingLooks> = new Set()
  /** Whether it runs a task. */
  isBusy = false
  /** Whether it has taken a task: one that has takes the next one at once, unless it hangs. */
  isWarm = false
  /** Whether it has ended, or was given up. */
  isOver = false
  readonly #piscina: Piscina
  readonly #idleTimeoutMs: number
  readonly #onOver: () => void
  #idleTimer: NodeJS.Timeout | undefined

  /**
   * Starts the thread.
   *
   * @param onTaken is called when the thread takes its first task, with the number of the task.
   * @param onOver is called once, when it has ended or was given up.
   * @throws the error of `new Worker()`.
   */
  constructor(
    limits: Required<WorkerOptions>,
    tasks: URL | null,
    onTaken: (number: number) => void,
    onOver: () => void,
  ) {
    this.#piscina = createPiscina(limits, tasks)
    this.#idleTimeoutMs = limits.idleTimeoutMs
    this.#onOver = onOver
    this.worker = this.#piscina.threads[0] as Worker
    threadBudget.started(this.worker)
    this.worker.once('exit', () => this.#over())
    this.#piscina.on('message', ({ taken }: FirstTask) => {
      this.isWarm = true
      onTaken(taken)
    })
    // Without a listener, an idle thread that dies would end the process; the next task starts another thread.
    this.#piscina.on('error', () => {})
  }

  /** Whether a task can begin now. */
  get isFree(): boolean {
    return !this.isOver && !this.isBusy && this.#piscina.threads.length > 0 && this.#lookMs() < LONG_LOOK_MS
  }

  /** @param signal ends the thread, which counts as hung until it has ended; see {@link giveUp}. */
  async run(task: NamedTask, signal: TaskSignal, transferList: Transferable[]): Promise<unknown> {
    this.isBusy = true
    clearTimeout(this.#idleTimer)
    try {
      return await this.#piscina.run(task, { signal, transferList })
    } finally {
      this.isBusy = false
      this.waitIdle()
    }
  }

  /** Counts the idle time from now, unless a task runs or looks are made. */
  waitIdle(): void {
    clearTimeout(this.#idleTimer)
    if (this.isOver || this.isBusy || this.looks.size > 0) return
    this.#idleTimer = setTimeout(() => this.giveUp(null, 0), this.#idleTimeoutMs).unref()
  }

  /**
   * Ends the thread. One that hangs is counted in `hungThreads`.
   *
   * @param at what it was at; `null` when no task was running.
   * @param stillMs for how long it had been there.
   */
  giveUp(at: TaskPlace | null, stillMs: number): void {
    if (this.isOver) return
    const lookMs = this.#lookMs()
    const isAtLook = at === null && lookMs >= LONG_LOOK_MS
    // It resolves when the thread has ended, which may be never.
    void this.#piscina.destroy()
    hungThreads.add(this.worker, isAtLook ? this.#lookPlace() : at, isAtLook ? lookMs : stillMs)
    this.#over()
  }

  /** Whether a look is under way that holds the thread for so long. */
  isStuck(forMs: number = LONG_LOOK_MS): boolean {
    return !this.isBusy && this.#lookMs() >= forMs
  }

  #over(): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.#idleTimer)
    const lost = [...this.looks]
    this.looks.clear()
    for (const looks of lost) looks.lost()
    this.#onOver()
  }

  /** For how long the look has been under way that holds this thread; 0 for none. */
  #lookMs(): number {
    return Math.max(0, ...[...this.looks].map(({ quiet }) => lookMsOf(quiet)))
  }

  #lookPlace(): TaskPlace | null {
    const stuck = [...this.looks].find(({ quiet }) => lookMsOf(quiet) >= LONG_LOOK_MS)
    return stuck ? placeOf(stuck.buffer) : null
  }
}

function lookMsOf(quiet: QuietLog): number {
  const sinceMs = Number(Atomics.load(quiet, 2))
  return sinceMs === 0 ? 0 : monotonicMs() - sinceMs
}
