/** Numbers passes and generations, and decides which pass may still commit: never one that began before the last commit. */
export class PassOrder {
  #begun = 0
  #committed = 0
  #generations = 0
  #isClosed = false

  /** Set when the engine is closed. After that, no pass commits. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** A number for a new pass. */
  begin(): number {
    return ++this.#begun
  }

  /** A number for a new generation. Never reused, even if the generation is not served. */
  nextGeneration(): number {
    return ++this.#generations
  }

  committed(pass: number): void {
    this.#committed = pass
  }

  /** Whether the engine is open and no later pass has committed. */
  mayCommit(pass: number): boolean {
    return !this.#isClosed && pass >= this.#committed
  }

  /** Whether neither this pass nor a later one has committed. */
  isLatest(pass: number): boolean {
    return pass > this.#committed
  }

  close(): void {
    this.#isClosed = true
  }
}
