import type { Timeline } from './bench.js'
import type { Machine } from './machine.js'
import type { Figure } from './statistics.js'

/** All that a run found: what the report is made from and what the gate looks at. */
export interface BenchResult {
  readonly format: 1
  /** ISO 8601 in UTC. */
  readonly startedAt: string
  readonly tookSeconds: number
  readonly quick: boolean
  readonly rounds: number
  readonly machine: Machine
  readonly scopes: readonly ScopeResult[]
  /** Measurements that came to no end; what else was measured stands. Absent when there were none. */
  readonly failures?: readonly Failure[]
  /** Runs from which some of the scopes are, instead of from this one. */
  readonly apart?: readonly RunApart[]
}

/** A run of some scopes, as long as their figures need. */
export interface RunApart extends Omit<BenchResult, 'format' | 'scopes' | 'apart'> {
  readonly scopes: readonly string[]
}

export interface Failure {
  readonly scope: string
  readonly scenario: string
  readonly variant: string
  readonly round: number
  readonly why: string
}

export interface ScopeResult {
  readonly name: string
  readonly title: string
  readonly columns: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
}

/** One technique under one condition, over all rounds. */
export interface Row {
  readonly scenario: string
  readonly variant: string
  readonly figures: Readonly<Record<string, Figure>>
  /** Of the last round. */
  readonly timeline?: Timeline
  readonly curve?: readonly (readonly [at: number, value: number])[]
}

/** A whole run, with the scopes of a run of their own in the place of its own. */
export function withRunApart(whole: BenchResult, { format: _, apart: __, ...run }: BenchResult): BenchResult {
  const scopes = whole.scopes.map((scope) => run.scopes.find(({ name }) => name === scope.name) ?? scope)
  const names = run.scopes.map(({ name }) => name)
  return { ...whole, scopes, apart: [...(whole.apart ?? []), { ...run, scopes: names }] }
}

/** Everything that was put under load with the same material, the largest there is; one row for each technique. */
export function comparedRows(result: BenchResult): readonly Row[] {
  const rows = ['load', 'peers'].flatMap(
    (name) => result.scopes.find((scope) => scope.name === name)?.rows ?? [],
  )
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))]
  const wanted = scenarios.find((scenario) => scenario.endsWith('500 CAs')) ?? scenarios[0]
  const chosen = rows.filter(({ scenario }) => scenario === wanted)
  return chosen.filter(({ variant }, i) => chosen.findIndex((row) => row.variant === variant) === i)
}

/** A figure of a run; `undefined` where it was not measured. */
export function figureIn(
  result: BenchResult,
  scope: string,
  scenario: string,
  variant: string,
  figure: string,
): Figure | undefined {
  const rows = result.scopes.find(({ name }) => name === scope)?.rows
  return rows?.find((row) => row.scenario === scenario && row.variant === variant)?.figures[figure]
}
