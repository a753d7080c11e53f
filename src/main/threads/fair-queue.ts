/** The waiting and running jobs of one engine. */
export interface EngineJobs<Job> {
  readonly waiting: Job[]
  readonly running: Set<Job>
  /** Whether its last task hung. Then it runs one task at a time, so that it never occupies every thread. */
  suspect: boolean
}

export function createEngineJobs<Job>(): EngineJobs<Job> {
  return { waiting: [], running: new Set(), suspect: false }
}

/** A round-robin queue of the tasks of all engines. */
export class FairQueue<Job> {
  /** Engines with waiting jobs; the first is next. */
  readonly #turns: EngineJobs<Job>[] = []

  add(engineJobs: EngineJobs<Job>, job: Job): void {
    if (engineJobs.waiting.push(job) === 1) this.#turns.push(engineJobs)
  }

  /** Returns a job that could not begin to the front of the jobs of its engine. */
  putBack(engineJobs: EngineJobs<Job>, job: Job): void {
    engineJobs.running.delete(job)
    if (engineJobs.waiting.unshift(job) === 1) this.#turns.unshift(engineJobs)
  }

  remove(engineJobs: EngineJobs<Job>, job: Job): void {
    const at = engineJobs.waiting.indexOf(job)
    if (at < 0) return
    engineJobs.waiting.splice(at, 1)
    if (engineJobs.waiting.length === 0) this.#turns.splice(this.#turns.indexOf(engineJobs), 1)
  }

  /** The first job of each engine. */
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
    const [engineJobs] = at < 0 ? [] : this.#turns.splice(at, 1)
    const job = engineJobs?.waiting.shift()
    if (!engineJobs || job === undefined) return undefined
    if (engineJobs.waiting.length > 0) this.#turns.push(engineJobs)
    engineJobs.running.add(job)
    return job
  }
}
