import type { Timeline } from './bench.js'
import type { Machine } from './machine.js'
import type { Figure } from './statistics.js'

/** The result of a run, from which the report and the gate are computed. */
export interface BenchResult {
  readonly format: 1
  /** ISO 8601 in UTC. */
  readonly startedAt: string
  readonly tookSeconds: number
  readonly quick: boolean
  readonly rounds: number
  readonly machine: Machine
  readonly scopes: readonly ScopeResult[]
  /** Failed measurements; the others are valid. `undefined` if there were none. */
  readonly failures?: readonly Failure[]
  /** Separate runs whose scopes replace those of this run. */
  readonly apart?: readonly RunApart[]
}

/** A separate run of some scopes, with as many rounds as their figures need. */
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
  /** Timeline of the last round. */
  readonly timeline?: Timeline
  readonly curve?: readonly (readonly [at: number, value: number])[]
}

/** A whole run, with the scopes of a separate run instead of its own, or beside them. */
export function withRunApart(whole: BenchResult, { format: _, apart: __, ...run }: BenchResult): BenchResult {
  const names = run.scopes.map(({ name }) => name)
  const others = run.scopes.filter(({ name }) => !whole.scopes.some((scope) => scope.name === name))
  const scopes = [
    ...whole.scopes.map((scope) => run.scopes.find(({ name }) => name === scope.name) ?? scope),
    ...others,
  ]
  return { ...whole, scopes, apart: [...(whole.apart ?? []), { ...run, scopes: names }] }
}

/** The rows under load with the largest common material; one row for each technique. */
export function comparedRows(result: BenchResult): readonly Row[] {
  const rows = ['load', 'peers'].flatMap(
    (name) => result.scopes.find((scope) => scope.name === name)?.rows ?? [],
  )
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))]
  const wanted = scenarios.find((scenario) => scenario.endsWith('500 CAs')) ?? scenarios[0]
  const chosen = rows.filter(({ scenario }) => scenario === wanted)
  return chosen.filter(({ variant }, i) => chosen.findIndex((row) => row.variant === variant) === i)
}

/** A figure of a run; `undefined` if it was not measured. */
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
