/** Counts by name, `ECONNRESET` for instance. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }

  addAll(other: Tally): void {
    for (const [name, count] of other.#counts) this.add(name, count)
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Ordered by frequency, the most frequent first. */
  toString(): string {
    const sorted = [...this.#counts].sort(([, a], [, b]) => b - a)
    return sorted.map(([name, count]) => `${count} ${name}`).join(', ')
  }
}
