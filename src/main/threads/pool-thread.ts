import type { Worker } from 'node:worker_threads'

import type { Piscina } from 'piscina'

import type { TaskPlace } from '../../workers/progress/progress.js'
import type { NamedTask } from '../../workers/protocol/tasks.js'
import type { WorkerOptions } from '../api/options.js'
import { hungThreads } from './hung-threads.js'
import { createPiscina } from './piscina.js'
import type { TaskSignal } from './task-signal.js'
import { threadBudget } from './thread-budget.js'

/** The message of a thread when it takes its first task. */
interface FirstTask {
  readonly taken: number
}

/** One worker thread, from its start to its end. */
export class PoolThread {
  readonly worker: Worker
  /** Whether it runs a task. */
  isBusy = false
  /** Whether it has taken a task before: then it takes the next one immediately, unless it hangs. */
  isWarm = false
  /** Whether it has ended or was given up. */
  isOver = false
  readonly #piscina: Piscina
  readonly #idleTimeoutMs: number
  readonly #onOver: () => void
  #idleTimer: NodeJS.Timeout | undefined

  /**
   * Starts the thread.
   *
   * @param onTaken called when the thread takes its first task, with the number of the task.
   * @param onOver called once, when it has ended or was given up.
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
    // Without a listener, the crash of an idle thread would end the process. The next task starts another thread.
    this.#piscina.on('error', () => {})
  }

  /** Whether a task can begin now. */
  get isFree(): boolean {
    return !this.isOver && !this.isBusy && this.#piscina.threads.length > 0
  }

  /** @param signal ends the thread, which counts as hung until it has ended; see {@link giveUp}. */
  async run(task: NamedTask, signal: TaskSignal): Promise<unknown> {
    this.isBusy = true
    clearTimeout(this.#idleTimer)
    try {
      return await this.#piscina.run(task, { signal })
    } finally {
      this.isBusy = false
      this.#waitIdle()
    }
  }

  /**
   * Ends the thread. One that hangs is counted in `hungThreads`.
   *
   * @param at the file that it was processing; `null` if no task was running.
   * @param stillMs for how long it had been at that file, in milliseconds.
   */
  giveUp(at: TaskPlace | null, stillMs: number): void {
    if (this.isOver) return
    // Resolves when the thread has ended, which may be never.
    void this.#piscina.destroy()
    hungThreads.add(this.worker, at, stillMs)
    this.#over()
  }

  /** Ends the thread after `idleTimeoutMs` without a task. */
  #waitIdle(): void {
    if (this.isOver) return
    this.#idleTimer = setTimeout(() => this.giveUp(null, 0), this.#idleTimeoutMs).unref()
  }

  #over(): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.#idleTimer)
    this.#onOver()
  }
}
