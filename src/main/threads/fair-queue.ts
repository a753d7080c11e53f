/** The waiting and running jobs of one engine. */
export interface Lane<Job> {
  readonly waiting: Job[]
  readonly running: Set<Job>
  /** Whether its last task hung. Then it runs one task at a time, so that it never occupies every thread. */
  suspect: boolean
}

export function createLane<Job>(): Lane<Job> {
  return { waiting: [], running: new Set(), suspect: false }
}

/** A round-robin queue of the tasks of all engines. */
export class FairQueue<Job> {
  /** Lanes with waiting jobs; the first is next. */
  readonly #turns: Lane<Job>[] = []

  add(lane: Lane<Job>, job: Job): void {
    if (lane.waiting.push(job) === 1) this.#turns.push(lane)
  }

  /** Returns a job that could not begin to the front of its lane. */
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
   * Removes the next job from the queue and marks it as running.
   *
   * @param mayRun whether this job can begin.
   * @returns `undefined` if no job may run now.
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
