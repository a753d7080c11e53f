import type { BenchOptions, Cell, Sample, Scope } from './bench.js'
import { describeMachine } from './machine.js'
import { createProgress, type Progress } from './progress.js'
import type { BenchResult, Failure, Row, ScopeResult } from './result.js'
import { figureOf, shuffled } from './statistics.js'

/** Measures the scopes one after the other. */
export async function runBench(scopes: readonly Scope[], options: BenchOptions): Promise<BenchResult> {
  const startedAt = new Date()
  const machine = describeMachine(options.node)
  const plans = scopes.map((scope) => ({ scope, cells: scope.cells(options) }))
  const progress = createProgress(plans.flatMap(({ cells }) => cells).reduce(secondsOf(options), 0))
  const results: ScopeResult[] = []
  const failures: Failure[] = []
  for (const { scope, cells } of plans) {
    results.push(await runScope(scope, cells, options, progress, failures))
  }
  progress.done()
  return {
    format: 1,
    startedAt: startedAt.toISOString(),
    tookSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    quick: options.quick,
    rounds: options.rounds,
    machine,
    scopes: results,
    ...(failures.length > 0 ? { failures } : {}),
  }
}

/**
 * Every round measures all cells in another random order, so that disturbances of the machine do not affect one cell only. A
 * failed measurement does not end the run.
 */
async function runScope(
  scope: Scope,
  cells: readonly Cell[],
  options: BenchOptions,
  progress: Progress,
  failures: Failure[],
): Promise<ScopeResult> {
  const samples = new Map<Cell, Sample[]>(cells.map((cell) => [cell, []]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const cell of shuffled(cells.filter((cell) => round <= roundsOf(cell, options)))) {
      progress.began(scope, cell, round)
      try {
        samples.get(cell)?.push(await cell.measure())
      } catch (error) {
        const { scenario, variant } = cell
        failures.push({ scope: scope.name, scenario, variant, round, why: (error as Error).message })
        progress.failed(error as Error)
      }
      progress.ended(cell)
    }
  }
  const rows = [...samples].flatMap(([cell, taken]) => (taken.length > 0 ? [rowOf(cell, taken)] : []))
  const { name, title, columns } = scope
  return { name, title, columns, rows }
}

function rowOf({ scenario, variant }: Cell, samples: readonly Sample[]): Row {
  const names = Object.keys(samples[0]?.figures ?? {})
  const figures = names.map((name) => [name, figureOf(samples.map((sample) => sample.figures[name] ?? NaN))])
  const { figures: _, ...traces } = samples.at(-1) as Sample
  return { scenario, variant, figures: Object.fromEntries(figures), ...traces }
}

function secondsOf(options: BenchOptions): (sum: number, cell: Cell) => number {
  return (sum, cell) => sum + cell.seconds * roundsOf(cell, options)
}

function roundsOf({ rounds = Infinity, roundsOfWhole = Infinity }: Cell, options: BenchOptions): number {
  return Math.min(options.rounds, rounds, options.whole ? roundsOfWhole : Infinity)
}
