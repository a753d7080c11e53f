/*
 * Makes bench/report.html, and the charts and tables of the documentation, from results:
 *
 *   npm run bench:report                     from bench/results/node-<major>.json; scopes of a separate run in
 *                                            node-<major>+<name>.json replace those of the whole run
 *   npm run bench:report -- --to PAGE FILE   only another page, from other results
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { inCheckout } from './checkout.js'
import { type Chart, chartsOf } from './report/charts.js'
import { fillMarked, peersTable, provenance, stepsTable, targetsTable } from './report/markdown.js'
import { renderPage } from './report/page.js'
import { type BenchResult, withRunApart } from './result.js'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } })
const results = positionals.length > 0 ? positionals.map(readResult) : published()
write(values.to ?? inCheckout('bench/report.html'), renderPage(results))
if (values.to === undefined) fillDocumentation()

function readResult(file: string): BenchResult {
  return JSON.parse(readFileSync(file, 'utf8')) as BenchResult
}

function published(): BenchResult[] {
  const folder = inCheckout('bench/results/')
  const names = readdirSync(folder).sort()
  const wholes = names.filter((name) => /^node-\d+\.json$/.test(name))
  if (wholes.length === 0) throw new Error(`no results in ${folder}: npm run bench makes them`)
  return wholes.map((whole) => {
    const apart = names.filter((name) => name.startsWith(whole.replace('.json', '+')))
    return apart.map((name) => readResult(folder + name)).reduce(withRunApart, readResult(folder + whole))
  })
}

/** Charts and the comparison use the first result; the targets use all. */
function fillDocumentation(): void {
  const [first] = results
  if (!first) return
  const charts = chartsOf(first)
  for (const { id, svg } of charts) write(inCheckout(`docs/bench-${id}.svg`), `${svg}\n`)
  const images = (folder: string, some: readonly Chart[]) =>
    some.map(({ id, title }) => `![${title}](${folder}bench-${id}.svg)`).join('\n\n')
  const parts = {
    provenance: provenance(results),
    targets: targetsTable(results),
    peers: peersTable(first),
    steps: stepsTable(results),
    charts: images('', charts),
    chart: images('docs/', charts.slice(0, 1)),
  }
  for (const path of ['docs/bench.md', 'README.md'].map(inCheckout)) {
    const text = readFileSync(path, 'utf8')
    const filled = Object.entries(parts).reduce((page, [name, part]) => fillMarked(page, name, part), text)
    if (filled !== text) write(path, filled)
  }
}

function write(path: string, text: string): void {
  writeFileSync(path, text)
  console.log(path)
}
