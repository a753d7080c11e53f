import type { Clock } from '../clock.js'
import type { Snapshot } from '../generation/generation.js'
import type { Preparer, Watchman } from '../pool.js'
import { prepareTask } from './preparation.js'

/** A watchman, and what became of the looks that were asked of it: there is never more than one without an answer. */
interface Watch extends Watchman {
  /** What was served when it was last told what to look by. */
  told: Snapshot | null
  asked: number
  askedAt: { readonly wallMs: number; readonly monotonicMs: number }
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
      .then((watchman) => this.#take(watchman))
      .catch(() => {})
      .finally(() => {
        this.#isSummoned = false
      })
  }

  /** Begins a look, unless one is on its way. False when nobody can look, or a look has not ended for too long. */
  look(served: Snapshot): boolean {
    const watch = this.#watch
    if (!watch) return false
    if (watch.asked > Atomics.load(watch.quiet, 0)) {
      if (this.#clock.monotonicMs() - watch.askedAt.monotonicMs < this.#timeoutMs) return true
      this.#watch = null
      watch.port.close()
      return false
    }
    const { options } = served
    const news = { records: served, held: null, force: false, fresh: false }
    watch.port.postMessage(watch.told === served ? null : prepareTask(options, news))
    watch.told = served
    watch.asked++
    watch.askedAt = this.#now()
    return true
  }

  /** When the last look began that found nothing new, in milliseconds since 1970; each is given out once. */
  takeQuiet(): number | null {
    if (!this.#watch) return null
    const quiet = Atomics.load(this.#watch.quiet, 0)
    if (quiet === this.#watch.taken) return null
    this.#watch.taken = quiet
    return this.#watch.askedAt.wallMs
  }

  #take({ port, quiet }: Watchman): void {
    const watch: Watch = { port, quiet, told: null, asked: 0, askedAt: this.#now(), taken: 0 }
    this.#watch = watch
    port.on('message', () => {
      watch.asked--
      this.#onDifference()
    })
    // Waiting for an answer does not hold the process open.
    port.unref()
    port.once('close', () => {
      if (this.#watch === watch) this.#watch = null
    })
  }

  #now(): Watch['askedAt'] {
    return { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() }
  }
}
