import type { BenchResult, Row, ScopeResult } from './result.js'
import type { Figure } from './statistics.js'
import { judge, type Verdict } from './targets.js'

/** The result as plain-text tables. */
export function printResult(result: BenchResult): string {
  const { machine, rounds, tookSeconds, quick } = result
  const head = [
    `Node ${machine.node}, OpenSSL ${machine.openssl}; load from Node ${machine.loadNode}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.system}, load average ${machine.loadAverage.toFixed(2)}`,
    `medians of ${rounds} rounds (lowest - highest), ${tookSeconds} s${quick ? ', --quick: orders of magnitude only' : ''}`,
  ]
  const scopes = result.scopes.map(printScope)
  return [...head, ...scopes, ...printFailures(result), printVerdicts(judge(result))].join('\n')
}

/** The failed measurements and their reasons. */
export function printFailures({ failures = [] }: BenchResult): string[] {
  return failures.map(
    ({ scope, scenario, variant, round, why }) =>
      `\nFAILED  ${scope}: ${variant}, ${scenario} (round ${round}): ${why}`,
  )
}

function printScope({ name, title, columns, rows }: ScopeResult): string {
  const body = rows.map((row) => `  ${row.variant}, ${row.scenario}\n    ${figuresIn(row, columns)}`)
  return `\n${name}: ${title}\n${body.join('\n')}`
}

function figuresIn({ figures }: Row, columns: ScopeResult['columns']): string {
  return Object.entries(columns)
    .flatMap(([name, heading]) => (figures[name] ? [`${heading} ${printFigure(figures[name])}`] : []))
    .join('; ')
}

function printFigure({ median, low, high, values }: Figure): string {
  return values.length === 1 || low === high
    ? short(median)
    : `${short(median)} (${short(low)} - ${short(high)})`
}

/** A figure with at most three significant digits, which exceeds the precision of the measurements. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en')
  return Number(value.toPrecision(3)).toString()
}

/** The targets, each with its worst figure. */
export function printVerdicts(verdicts: readonly Verdict[]): string {
  const lines = verdicts.flatMap(({ target, worst, met }) => {
    const { title, kind, bound, unit } = target
    return worst === undefined
      ? []
      : `  ${met ? 'met   ' : 'MISSED'}  ${title}: ${short(worst)} ${unit} (${kind} ${bound})`
  })
  return ['', 'targets', ...lines].join('\n')
}
