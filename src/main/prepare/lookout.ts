import type { LookOutOrder } from '../../workers/protocol/look-out.js'
import type { Clock } from '../base/clock.js'
import type { Snapshot } from '../generation/generation.js'
import type { Watchman, Worker } from '../threads/pool.js'
import { prepareTask } from './preparation.js'

/** Looks that found nothing new. */
export interface QuietLooks {
  readonly count: number
  /** When the last of them began, in milliseconds since 1970. */
  readonly lastMs: number
}

interface Order {
  readonly served: Snapshot
  readonly everyMs: number
  /** When it was given, in milliseconds since 1970. */
  readonly givenMs: number
}

/** A watchman, what it was told, and what is known of its looks. */
interface Watch extends Watchman {
  /** What it looks by, and how often; `null` while it rests. */
  order: Order | null
  /** How many quiet looks there had been when that number was last seen to rise, and when that was. */
  count: bigint
  roseAtMs: number
  /** Quiet looks that were given out. */
  taken: bigint
}

/**
 * Has a worker thread look by its own timer whether the files still say what is served. As long as they do, the main thread
 * hears nothing: it finds the answers in shared memory when it asks.
 */
export class Lookout {
  readonly #worker: Worker
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #onDifference: () => void
  #watch: Watch | null = null
  /** A thread is on its way. */
  #summons: symbol | null = null
  /** What a watch that has ended had not given out. */
  #rest: QuietLooks | null = null

  /** @param onDifference is called when a look found anything but what is served, and when looks have ended. */
  constructor(worker: Worker, clock: Clock, timeoutMs: number, onDifference: () => void) {
    this.#worker = worker
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#onDifference = onDifference
  }

  /** Has a worker thread stand by. Where none can, there are no looks: a pass finds out why, and reports it. */
  stand(): void {
    if (this.#watch || this.#summons) return
    const summons = Symbol('lookout')
    this.#summons = summons
    this.#worker
      .lookOut()
      .then((watchman) => {
        // Dismissed before it came.
        if (this.#summons === summons) this.#begin(watchman)
        else watchman.port.close()
      })
      .catch(() => {})
      .finally(() => {
        if (this.#summons === summons) this.#summons = null
      })
  }

  /**
   * Whether a thread looks at the files of `served` every `everyMs` milliseconds; it begins now, if it did not before.
   * False when none can, or when a look has not ended for too long.
   */
  keepsLooking(served: Snapshot, everyMs: number): boolean {
    const watch = this.#watch
    if (!watch) return false
    const nowMs = this.#clock.monotonicMs()
    const count = Atomics.load(watch.quiet, 0)
    if (watch.order?.served !== served || watch.order.everyMs !== everyMs) {
      const order: LookOutOrder = { task: taskFor(served), everyMs }
      watch.port.postMessage(order)
      watch.order = { served, everyMs, givenMs: this.#clock.wallMs() }
    } else if (count === watch.count) {
      if (nowMs - watch.roseAtMs < everyMs + this.#timeoutMs) return true
      this.dismiss()
      return false
    }
    watch.count = count
    watch.roseAtMs = nowMs
    return true
  }

  /** Ends the looks until they are asked for again. */
  rest(): void {
    if (!this.#watch?.order) return
    this.#watch.order = null
    this.#watch.port.postMessage(null)
  }

  /** Gives the thread back. */
  dismiss(): void {
    const port = this.#watch?.port
    this.#summons = null
    this.#end()
    port?.close()
  }

  /** Milliseconds until the next look; `null` while there are none. */
  dueInMs(): number | null {
    if (!this.#watch?.order) return null
    const { order, quiet } = this.#watch
    const lastMs = Math.max(order.givenMs, Number(Atomics.load(quiet, 1)))
    const leftMs = lastMs + order.everyMs - this.#clock.wallMs()
    // Wall clocks are set back, too.
    return Math.min(order.everyMs, Math.max(0, leftMs))
  }

  /** What there is to tell; each look is told once. */
  takeQuiet(): QuietLooks | null {
    const rest = this.#rest
    this.#rest = null
    if (!this.#watch) return rest
    const { quiet, taken } = this.#watch
    const count = Atomics.load(quiet, 0)
    if (count === taken) return rest
    this.#watch.taken = count
    return { count: Number(count - taken) + (rest?.count ?? 0), lastMs: Number(Atomics.load(quiet, 1)) }
  }

  #begin({ port, quiet }: Watchman): void {
    const watch: Watch = { port, quiet, order: null, count: 0n, roseAtMs: 0, taken: 0n }
    this.#watch = watch
    port.on('message', () => {
      // What it looked by may be served no more.
      if (watch.order === null) return
      watch.order = null
      this.#onDifference()
    })
    // Waiting for an answer does not hold the process open.
    port.unref()
    port.once('close', () => {
      if (this.#watch !== watch) return
      this.#end()
      this.#onDifference()
    })
  }

  #end(): void {
    this.#rest = this.takeQuiet()
    this.#watch = null
  }
}

function taskFor(served: Snapshot) {
  const { options, fileWarnings } = served
  const { requestCert } = options.peers
  const mode = { records: served, rolledBack: null, requestCert, force: false, fresh: false, fileWarnings }
  return prepareTask(options, mode)
}
