/** A queue of transactions, of which one runs at a time. */
export class Turns {
  /** Ends with the turn that was taken last. */
  #last: Promise<void> = Promise.resolve()

  /** Resolves when every turn that was taken before has ended, with a function that ends this one. */
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
