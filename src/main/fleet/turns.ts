/** Serializes transactions. */
export class Turns {
  /** Resolves when the last queued turn has ended. */
  #last: Promise<void> = Promise.resolve()

  /** Resolves, when all earlier turns have ended, with a function that ends this turn. */
  async take(): Promise<() => void> {
    const before = this.#last
    let end = () => {}
    this.#last = new Promise((resolve) => {
      end = resolve
    })
    await before
    return end
  }
}
