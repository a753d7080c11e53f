/** What the bench is asked for. */
export interface BenchOptions {
  readonly scopes: readonly string[]
  /** Nobody chose among the scopes: then there are forty minutes for all. */
  readonly whole: boolean
  /** A few seconds for each scope: shows that it works and the order of magnitude, and no more. */
  readonly quick: boolean
  /** The Node that the measured servers run on; the load always comes from the Node that runs the bench. */
  readonly node: string
  readonly rounds: number
}

/** Figures of one measurement; the unit is the end of the name. */
export interface Sample {
  readonly figures: Readonly<Record<string, number>>
  readonly timeline?: Timeline
  /** How one figure went on within the measurement. */
  readonly curve?: readonly (readonly [at: number, value: number])[]
}

/** Latencies over a window of load, with the moments at which the certificate was renewed. */
export interface Timeline {
  readonly points: readonly (readonly [atMs: number, tookMs: number])[]
  readonly reloadsAtMs: readonly number[]
}

/** One technique under one condition: what is measured anew in each round. */
export interface Cell {
  readonly scenario: string
  readonly variant: string
  /** How long one measurement takes, for the estimate of the time that is left. */
  readonly seconds: number
  /** @defaultValue those of the run; long measurements need no repetition */
  readonly rounds?: number
  /** In a whole run. @defaultValue as in any other; fewer where forty minutes would not do */
  readonly roundsOfWhole?: number
  measure(): Promise<Sample>
}

/** A question that the bench answers, and the cells that answer it. */
export interface Scope {
  readonly name: string
  readonly title: string
  /** The figures that a table shows, with their headings. */
  readonly columns: Readonly<Record<string, string>>
  cells(options: BenchOptions): Cell[]
}
