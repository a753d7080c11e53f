import { short } from '../print.js'
import type { BenchResult, Row, ScopeResult } from '../result.js'
import type { Figure } from '../statistics.js'
import { judge, type Verdict } from '../targets.js'
import { chartsOf } from './charts.js'

/** One page for all results, without scripts and external resources. */
export function renderPage(results: readonly BenchResult[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>certswap bench</title>
<style>${STYLE}</style>
</head>
<body>
<h1>What a certificate reload costs</h1>
<p>Medians; lowest and highest round in brackets. How each figure is measured is in <code>docs/bench.md</code>;
<code>npm run bench</code> measures them anew.</p>
${results.map(renderResult).join('\n')}
</body>
</html>
`
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0; font-size: 13px; display: block; overflow-x: auto }
th, td { padding: 4px 10px; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top }
th:first-child, td:first-child, th.text, td.text { text-align: left; white-space: nowrap }
small { color: #777; white-space: nowrap }
.met { color: #0b7a75 } .missed { color: #c2452d; font-weight: 600 }
figure { margin: 1.5rem 0 } svg { max-width: 100%; height: auto }
`

function renderResult(result: BenchResult): string {
  const { machine, startedAt, rounds, tookSeconds, quick } = result
  const facts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    `load average ${machine.loadAverage.toFixed(2)} at the start`,
    `servers on Node ${machine.node} with OpenSSL ${machine.openssl}, load from Node ${machine.loadNode}`,
    `${rounds} rounds in random order`,
    `${startedAt.slice(0, 10)}, ${Math.ceil(tookSeconds / 60)} min`,
  ]
  const apart = (result.apart ?? []).map(
    (run) =>
      `<p>From a run apart, of ${run.rounds} rounds on ${run.startedAt.slice(0, 10)}: ${escapeText(run.scopes.join(', '))}.</p>`,
  )
  const warning = quick ? '<p class="missed">A quick run: orders of magnitude and no more.</p>' : ''
  const figures = chartsOf(result).map(
    ({ id, svg }) => `<figure id="node-${machine.node}-${id}" class="chart">${svg}</figure>`,
  )
  return `<h2>Node ${machine.node}, OpenSSL ${machine.openssl}</h2>
<p>${facts.map(escapeText).join('; ')}.</p>
${apart.join('\n')}
${warning}
${renderVerdicts(judge(result))}
${figures.join('\n')}
${result.scopes.map(renderScope).join('\n')}`
}

function renderVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, worst, met }) => {
    const { title, kind, bound, unit } = target
    const word = worst === undefined ? 'not measured' : met ? 'met' : 'missed'
    const measured = worst === undefined ? '' : `${short(worst)} ${unit}`
    return `<tr><td>${escapeText(title)}</td><td>${kind} ${bound} ${unit}</td><td>${measured}</td>
<td class="${worst === undefined ? '' : word}">${word}</td></tr>`
  })
  return `<table><tr><th>target</th><th>bound</th><th>measured</th><th></th></tr>${rows.join('\n')}</table>`
}

function renderScope({ title, columns, rows }: ScopeResult): string {
  const shown = Object.entries(columns).filter(([name]) => rows.some(({ figures }) => figures[name]))
  const head = shown.map(([, heading]) => `<th>${escapeText(heading)}</th>`).join('')
  const body = rows
    .map((row) =>
      renderRow(
        row,
        shown.map(([name]) => name),
      ),
    )
    .join('\n')
  return `<h3>${escapeText(title)}</h3>
<table><tr><th>material</th><th class="text">by</th>${head}</tr>${body}</table>`
}

function renderRow({ scenario, variant, figures }: Row, names: readonly string[]): string {
  const cells = names.map((name) => `<td>${renderFigure(figures[name])}</td>`).join('')
  return `<tr><td>${escapeText(scenario)}</td><td class="text">${escapeText(variant)}</td>${cells}</tr>`
}

function renderFigure(figure: Figure | undefined): string {
  if (!figure) return ''
  const { median, low, high } = figure
  return low === high ? short(median) : `${short(median)} <small>(${short(low)} - ${short(high)})</small>`
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
