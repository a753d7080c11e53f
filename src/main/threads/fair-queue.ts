/** What one engine has waiting and running. */
export interface Lane<Job> {
  readonly waiting: Job[]
  readonly running: Set<Job>
  /** Whether its last task hung: then it runs one task at a time, and never holds every thread. */
  suspect: boolean
}

export function createLane<Job>(): Lane<Job> {
  return { waiting: [], running: new Set(), suspect: false }
}

/** The tasks of all engines that share threads; each engine has its turn. */
export class FairQueue<Job> {
  /** Lanes with waiting jobs; the first has its turn. */
  readonly #turns: Lane<Job>[] = []

  add(lane: Lane<Job>, job: Job): void {
    if (lane.waiting.push(job) === 1) this.#turns.push(lane)
  }

  remove(lane: Lane<Job>, job: Job): void {
    const at = lane.waiting.indexOf(job)
    if (at < 0) return
    lane.waiting.splice(at, 1)
    if (lane.waiting.length === 0) this.#turns.splice(this.#turns.indexOf(lane), 1)
  }

  /** The job whose turn it is, moved to the running ones of its lane; `undefined` when none may run now. */
  next(): Job | undefined {
    const at = this.#turns.findIndex(({ suspect, running }) => !suspect || running.size === 0)
    const [lane] = at < 0 ? [] : this.#turns.splice(at, 1)
    const job = lane?.waiting.shift()
    if (!lane || job === undefined) return undefined
    if (lane.waiting.length > 0) this.#turns.push(lane)
    lane.running.add(job)
    return job
  }

  /** Every waiting job, taken out. */
  drain(): Job[] {
    return this.#turns.splice(0).flatMap(({ waiting }) => waiting.splice(0))
  }
}
