import type { Clock } from '../clock.js'
import type { Snapshot } from '../generation/generation.js'
import type { Preparer, Watchman } from '../pool.js'
import { prepareTask } from './preparation.js'

/** Looks that found nothing new. */
export interface QuietLooks {
  readonly count: number
  /** When the last of them began, in milliseconds since 1970. */
  readonly lastMs: number
}

/** A watchman, and what became of the looks that were asked of it: there is never more than one without an answer. */
interface Watch extends Watchman {
  /** What was served when it was last told what to look by. */
  told: Snapshot | null
  /** Looks that were quiet, or have no answer yet. */
  asked: number
  askedAtMs: number
  /** When the last look was asked for that is known to have been quiet. */
  quietAtMs: number
  /** Quiet looks that were given out. */
  taken: number
}

/**
 * Looks whether the files still say what is served. As long as they do, this thread hears nothing: it finds the answer in
 * shared memory when it next asks.
 */
export class Lookout {
  readonly #preparer: Preparer
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #onDifference: () => void
  #watch: Watch | null = null
  #isSummoned = false
  /** What a watch that has ended had not given out. */
  #rest: QuietLooks | null = null

  /** @param onDifference is told when a look found anything but what is served. */
  constructor(preparer: Preparer, clock: Clock, timeoutMs: number, onDifference: () => void) {
    this.#preparer = preparer
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#onDifference = onDifference
  }

  /** Has a worker thread stand by. Where none can, there will be no look: a pass finds out why, and says so. */
  stand(): void {
    if (this.#watch || this.#isSummoned) return
    this.#isSummoned = true
    this.#preparer
      .lookOut()
      .then((watchman) => this.#begin(watchman))
      .catch(() => {})
      .finally(() => {
        this.#isSummoned = false
      })
  }

  /** Begins a look, unless one is on its way. False when nobody can look, or a look has not ended for too long. */
  look(served: Snapshot): boolean {
    const watch = this.#watch
    if (!watch) return false
    const nowMs = this.#clock.monotonicMs()
    if (watch.asked > Atomics.load(watch.quiet, 0)) {
      if (nowMs - watch.askedAtMs < this.#timeoutMs) return true
      this.#end(watch)
      watch.port.close()
      return false
    }
    watch.port.postMessage(watch.told === served ? null : taskFor(served))
    watch.told = served
    watch.asked++
    watch.quietAtMs = watch.askedAtMs
    watch.askedAtMs = nowMs
    return true
  }

  /** What there is to tell; each look is told once. */
  takeQuiet(): QuietLooks | null {
    const rest = this.#rest
    this.#rest = null
    if (!this.#watch) return rest
    const { quiet, asked, askedAtMs, quietAtMs, taken } = this.#watch
    const count = Atomics.load(quiet, 0)
    if (count === taken) return rest
    this.#watch.taken = count
    const agoMs = this.#clock.monotonicMs() - (asked === count ? askedAtMs : quietAtMs)
    return { count: count - taken + (rest?.count ?? 0), lastMs: this.#clock.wallMs() - agoMs }
  }

  #begin({ port, quiet }: Watchman): void {
    const watch: Watch = { port, quiet, told: null, asked: 0, askedAtMs: 0, quietAtMs: 0, taken: 0 }
    this.#watch = watch
    port.on('message', () => {
      watch.asked--
      watch.askedAtMs = watch.quietAtMs
      this.#onDifference()
    })
    // Waiting for an answer does not hold the process open.
    port.unref()
    port.once('close', () => this.#end(watch))
  }

  #end(watch: Watch): void {
    if (this.#watch !== watch) return
    this.#rest = this.takeQuiet()
    this.#watch = null
  }
}

function taskFor(served: Snapshot) {
  return prepareTask(served.options, { records: served, held: null, force: false, fresh: false })
}
