import { deferred } from '../base/deferred.js'

/** Serializes transactions. */
export class Turns {
  /** Resolves when the last queued turn has ended. */
  #last: Promise<void> = Promise.resolve()

  /** Resolves, when all earlier turns have ended, with a function that ends this turn. */
  async take(): Promise<() => void> {
    const before = this.#last
    const turn = deferred<void>()
    this.#last = turn.promise
    await before
    return turn.resolve
  }
}
