import { isTaken, stepsOf } from '../../workers/progress/progress.js'
import type { Clock } from '../base/clock.js'

/**
 * Looks of the timer in one limit. A process that was suspended, or a main thread that was held up, wakes with its timers
 * overdue: it loses one part of the limit to that, and not the whole.
 */
const PARTS = 4

/** A thread starts in 50 ms. On a machine that is busy with everything else it takes as long as this, in milliseconds. */
const START_LIMIT_MS = 30_000

/**
 * The time limit of one task. It runs from the moment a thread takes the task. The start of a thread has a limit of its own,
 * because no file has a part in it.
 */
export class TaskTimer {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #buffer: SharedArrayBuffer
  readonly #onEnd: (taken: boolean) => void
  #cancel = () => {}
  #left = PARTS
  #taken = false
  #startLeftMs: number
  #steps = -1
  /** Looks in a row that found the task at the same file. */
  #still = 0

  /**
   * @param isWarm whether a thread that has worked before was given the task: it takes it at once, or hangs.
   * @param onEnd is called once, when the time is over; `taken` is whether a thread had begun the task.
   */
  constructor(
    clock: Clock,
    limitMs: number,
    buffer: SharedArrayBuffer,
    isWarm: boolean,
    onEnd: (taken: boolean) => void,
  ) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#buffer = buffer
    this.#onEnd = onEnd
    this.#startLeftMs = isWarm ? limitMs : Math.max(limitMs, START_LIMIT_MS)
    this.#arm()
  }

  /** A thread that had to be started takes the task now. */
  taken(): void {
    if (this.#taken) return
    this.#taken = true
    this.#cancel()
    this.#arm()
  }

  stop(): void {
    this.#cancel()
  }

  /** Whether the task has been at one file for a quarter of its time or longer, so that this file is to blame. */
  get isStuck(): boolean {
    return this.#still > 0
  }

  /** For how long the task has been at one file, in milliseconds; rounded down to a part of the limit. */
  get stillMs(): number {
    return this.#still * this.#partMs
  }

  get #partMs(): number {
    return Math.max(1, this.#limitMs / PARTS)
  }

  #arm(): void {
    this.#cancel = this.#clock.after(this.#partMs, () => this.#look())
  }

  #look(): void {
    this.#taken ||= isTaken(this.#buffer)
    if (this.#taken) this.#left--
    else this.#startLeftMs -= this.#partMs
    const steps = stepsOf(this.#buffer)
    this.#still = steps === this.#steps ? this.#still + 1 : 0
    this.#steps = steps
    if (this.#left > 0 && this.#startLeftMs > 0) this.#arm()
    else this.#onEnd(this.#taken)
  }
}
