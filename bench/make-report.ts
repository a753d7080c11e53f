/*
 * Makes bench/report.html, and the charts of the documentation, from results:
 *
 *   npm run bench:report                     of bench/results/node-<major>.json
 *   npm run bench:report -- FILE...          of these
 *   npm run bench:report -- --to PAGE FILE   another page, and no charts beside it
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { inCheckout } from './checkout.js'
import { chartsOf } from './report/charts.js'
import { renderPage } from './report/page.js'
import type { BenchResult } from './result.js'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } })
const files = positionals.length > 0 ? positionals : published()
const results = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as BenchResult)
const page = values.to ?? inCheckout('bench/report.html')
writeFileSync(page, renderPage(results))
console.log(page)

const [first] = results
if (first && values.to === undefined) {
  for (const { id, svg } of chartsOf(first)) {
    const path = inCheckout(`docs/bench-${id}.svg`)
    writeFileSync(path, `${svg}\n`)
    console.log(path)
  }
}

function published(): string[] {
  const folder = inCheckout('bench/results/')
  const names = readdirSync(folder).filter((name) => /^node-\d+\.json$/.test(name))
  if (names.length === 0) throw new Error(`no results in ${folder}: npm run bench makes them`)
  return names.sort().map((name) => folder + name)
}
