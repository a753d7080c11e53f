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

/** The tasks of all engines; each engine has its turn. */
export class FairQueue<Job> {
  /** Lanes with waiting jobs; the first has its turn. */
  readonly #turns: Lane<Job>[] = []

  add(lane: Lane<Job>, job: Job): void {
    if (lane.waiting.push(job) === 1) this.#turns.push(lane)
  }

  /** Puts a job that could not begin before all others of its lane. */
  putBack(lane: Lane<Job>, job: Job): void {
    lane.running.delete(job)
    if (lane.waiting.unshift(job) === 1) this.#turns.unshift(lane)
  }

  remove(lane: Lane<Job>, job: Job): void {
    const at = lane.waiting.indexOf(job)
    if (at < 0) return
    lane.waiting.splice(at, 1)
    if (lane.waiting.length === 0) this.#turns.splice(this.#turns.indexOf(lane), 1)
  }

  /** The first job of each lane. */
  get first(): readonly Job[] {
    return this.#turns.map(({ waiting }) => waiting[0] as Job)
  }

  /**
   * The job whose turn it is, moved to the running ones of its lane; `undefined` when none may run now.
   *
   * @param mayRun whether this job can begin.
   */
  next(mayRun: (job: Job) => boolean): Job | undefined {
    const at = this.#turns.findIndex(
      ({ suspect, running, waiting }) => !(suspect && running.size > 0) && mayRun(waiting[0] as Job),
    )
    const [lane] = at < 0 ? [] : this.#turns.splice(at, 1)
    const job = lane?.waiting.shift()
    if (!lane || job === undefined) return undefined
    if (lane.waiting.length > 0) this.#turns.push(lane)
    lane.running.add(job)
    return job
  }
}
