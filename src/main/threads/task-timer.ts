import { isTaken, stepsOf } from '../../workers/progress.js'
import type { Clock } from '../clock.js'

/**
 * Looks of the timer in one limit. A process that was suspended, or a main thread that was held up, wakes with its timers
 * overdue: it loses one part of the limit to that, and not the whole.
 */
const PARTS = 4

/**
 * The time limit of one task. It runs from the moment a thread takes the task; until then the same limit holds for the
 * start of the thread.
 */
export class TaskTimer {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #buffer: SharedArrayBuffer
  readonly #onEnd: (taken: boolean) => void
  #cancel = () => {}
  #left = PARTS
  #steps = -1
  /** Looks in a row that found the task at the same file. */
  #still = 0

  /** @param onEnd is called once, when the time is over; `taken` is whether a thread had begun the task. */
  constructor(clock: Clock, limitMs: number, buffer: SharedArrayBuffer, onEnd: (taken: boolean) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#buffer = buffer
    this.#onEnd = onEnd
    this.#arm()
  }

  /** Begins anew: a thread that had to be started takes the task now. */
  restart(): void {
    this.#cancel()
    this.#left = PARTS
    this.#arm()
  }

  stop(): void {
    this.#cancel()
  }

  /** Whether the task has been at one file for a quarter of its time or longer, so that this file is to blame. */
  get isStuck(): boolean {
    return this.#still > 0
  }

  #arm(): void {
    this.#cancel = this.#clock.after(Math.max(1, this.#limitMs / PARTS), () => this.#look())
  }

  #look(): void {
    this.#left--
    const steps = stepsOf(this.#buffer)
    this.#still = steps === this.#steps ? this.#still + 1 : 0
    this.#steps = steps
    if (this.#left > 0) this.#arm()
    else this.#onEnd(isTaken(this.#buffer))
  }
}
