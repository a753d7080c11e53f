/** Numbers passes and generations, and decides which pass may still commit: an older one never follows a newer one. */
export class PassOrder {
  #begun = 0
  #committed = 0
  #generations = 0
  #isClosed = false

  /** Set once the engine is closed. No pass commits from then on. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The number of a pass that begins. */
  begin(): number {
    return ++this.#begun
  }

  /** A number for a generation. None is used twice, whether the generation is served or not. */
  nextGeneration(): number {
    return ++this.#generations
  }

  committed(pass: number): void {
    this.#committed = pass
  }

  /** Whether neither the end of the engine nor a pass that began later keeps this one from its commit. */
  mayCommit(pass: number): boolean {
    return !this.#isClosed && pass >= this.#committed
  }

  /** Whether nothing has been committed since this pass began, by itself or by a later one. */
  isLatest(pass: number): boolean {
    return pass > this.#committed
  }

  close(): void {
    this.#isClosed = true
  }
}
