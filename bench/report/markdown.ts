import { short } from '../print.js'
import { type BenchResult, comparedRows, figureIn, type Row, type RunApart } from '../result.js'
import { judge } from '../targets.js'

/** Replaces the text between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; text without the marks is unchanged. */
export function fillMarked(text: string, name: string, content: string): string {
  const marked = new RegExp(`(<!-- bench:${name} -->\\n)[\\s\\S]*?(<!-- /bench:${name} -->)`)
  return text.replace(marked, (_all, begin: string, end: string) => `${begin}\n${content}\n\n${end}`)
}

/** Targets and measured figures, one column for each Node version. */
export function targetsTable(results: readonly BenchResult[]): string {
  const [first] = results
  if (!first) return ''
  const judged = results.map((result) => judge(result))
  const rows = judge(first).map(({ target: { title, kind, bound, unit } }, i) => {
    const measured = judged.map((verdicts) => {
      const verdict = verdicts[i]
      if (verdict?.worst === undefined) return '-'
      const figure = `${short(verdict.worst)} ${unit}`.trim()
      return verdict.met ? figure : `**${figure}**`
    })
    return [title, `${kind} ${bound} ${unit}`.trim(), ...measured]
  })
  return table(['what', 'target', ...results.map(({ machine }) => `Node ${machine.node}`)], rows)
}

/** The effect on clients, of this engine and of other servers. */
export function peersTable(result: BenchResult): string {
  const heading = [
    'server',
    'handshake p99, ms: no reloads',
    '1 reload/s',
    'ratio',
    'handshakes failed',
    'requests failed, connections closed',
    'sessions lost',
    'new certificate seen after, ms',
  ]
  const of = ({ figures }: Row, name: string) => short(figures[name]?.median ?? Number.NaN)
  return table(
    heading,
    comparedRows(result).map((row) => [
      row.variant,
      of(row, 'idleHandshakeP99Ms'),
      of(row, 'at1HandshakeP99Ms'),
      of(row, 'at1HandshakeP99Ratio'),
      of(row, 'at1HandshakesFailed'),
      `${of(row, 'at1RequestsFailed')}, ${of(row, 'at1ConnectionsClosed')}`,
      of(row, 'at1SessionsLost'),
      short(seenMs(result, row) ?? Number.NaN),
    ]),
  )
}

/** From the scope `wire` if it has the variant, so that compared figures are from one run. */
function seenMs(result: BenchResult, { scenario, variant, figures }: Row): number | undefined {
  const figure = figureIn(result, 'wire', `${scenario}: leaf renewed`, variant, 'seenMs') ?? figures['seenMs']
  return figure?.median
}

/** Single steps of a reload, one column for each Node version. */
export function stepsTable(results: readonly BenchResult[]): string {
  const rows = results.map(({ scopes }) => scopes.find(({ name }) => name === 'micro')?.rows[0])
  const steps = Object.keys(rows[0]?.figures ?? {})
  return table(
    ['step', ...results.map(({ machine }) => `Node ${machine.node}, ms`)],
    steps.map((step) => [step, ...rows.map((row) => short(row?.figures[step]?.median ?? Number.NaN))]),
  )
}

/** Machine, versions and date of the results, without which figures are meaningless. */
export function provenance(results: readonly BenchResult[]): string {
  const lines = results.flatMap((result) => [
    `- ${runLine(result)}.`,
    ...(result.apart ?? []).map((run) => `- Of these, ${run.scopes.join(', ')}: ${runLine(run)}.`),
  ])
  return lines.join('\n')
}

function runLine({ machine, startedAt, rounds, tookSeconds, quick }: BenchResult | RunApart): string {
  const runtime = `Node ${machine.node} with OpenSSL ${machine.openssl} (load from Node ${machine.loadNode})`
  const place = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, load average ${machine.loadAverage.toFixed(2)} before`
  const size = `${quick ? 'a quick run' : `${rounds} rounds`} of ${Math.ceil(tookSeconds / 60)} min`
  return `${startedAt.slice(0, 10)}, ${runtime}: ${place}; ${size}`
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n')
}
