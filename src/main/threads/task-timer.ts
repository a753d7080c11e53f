import { isTaken, stepsOf } from '../../workers/progress/progress.js'
import type { Clock } from '../base/clock.js'

/**
 * Timer periods in one time limit. After a suspension of the process, or a blocked main thread, timers are overdue: the task
 * then loses only one part of its limit instead of all of it.
 */
const PARTS = 4

/** Time limit for the start of a thread, in milliseconds. It usually takes 50 ms, but much longer on an overloaded machine. */
const START_LIMIT_MS = 30_000

/**
 * The time limit of one task. It begins when a thread takes the task. The start of a thread has a separate limit, because no
 * file can affect it.
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
  /** Number of consecutive timer periods without progress of the task. */
  #still = 0

  /**
   * @param isWarm whether the thread has taken a task before: then it takes this one immediately, or hangs.
   * @param onEnd called once, when the time is over; `taken` is whether a thread had begun the task.
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

  /** Call when a newly started thread takes the task. */
  taken(): void {
    if (this.#taken) return
    this.#taken = true
    this.#cancel()
    this.#arm()
  }

  stop(): void {
    this.#cancel()
  }

  /** Whether the task has been at one file for at least a quarter of its limit, so that this file is the cause. */
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
    this.#cancel = this.#clock.after(this.#partMs, () => this.#onTimer())
  }

  #onTimer(): void {
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
