/** Options of a run. */
export interface BenchOptions {
  readonly scopes: readonly string[]
  /** All scopes are run; the time for all of them is limited to forty minutes. */
  readonly whole: boolean
  /** A few seconds for each scope: shows only that it works, and the order of magnitude. */
  readonly quick: boolean
  /** The Node binary of the measured servers; the load always runs on the Node of the bench. */
  readonly node: string
  readonly rounds: number
}

/** Figures of one measurement; the name ends with the unit. */
export interface Sample {
  readonly figures: Readonly<Record<string, number>>
  readonly timeline?: Timeline
  /** One figure over the course of the measurement. */
  readonly curve?: readonly (readonly [at: number, value: number])[]
}

/** Latencies over a window of load, with the times at which the certificate was renewed. */
export interface Timeline {
  readonly points: readonly (readonly [atMs: number, tookMs: number])[]
  readonly reloadsAtMs: readonly number[]
}

/** One technique under one condition, measured once in each round. */
export interface Cell {
  readonly scenario: string
  readonly variant: string
  /** Estimated seconds of one measurement, for the progress line. */
  readonly seconds: number
  /** @defaultValue the rounds of the run; long measurements need fewer */
  readonly rounds?: number
  /** Rounds in a whole run, fewer to keep the forty minutes. @defaultValue as in other runs */
  readonly roundsOfWhole?: number
  measure(): Promise<Sample>
}

/** A question that the bench answers, and the cells that answer it. */
export interface Scope {
  readonly name: string
  readonly title: string
  /** The figures of the table, with their headings. */
  readonly columns: Readonly<Record<string, string>>
  cells(options: BenchOptions): Cell[]
}
