import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { inCheckout } from './checkout.js'
import { cleanUp, cleanUpOnSignals } from './cleanup.js'
import { assertExecutable, type CommandLine, parseCommandLine, usage } from './options.js'
import { printResult } from './print.js'
import { renderPage } from './report/page.js'
import type { BenchResult } from './result.js'
import { runBench } from './run.js'
import { SCOPES } from './scopes/index.js'

await main().catch((error: Error) => {
  console.error(error instanceof TypeError ? `bench: ${error.message}` : error)
  process.exitCode = error instanceof TypeError ? 2 : 1
})
await cleanUp()
process.exit()

async function main(): Promise<void> {
  const known = SCOPES.map(({ name }) => name)
  const line = parseCommandLine(process.argv.slice(2), known)
  if (line.help) {
    console.log(usage(known))
    return
  }
  assertExecutable(line.node)
  cleanUpOnSignals()
  const result = await runBench(
    SCOPES.filter(({ name }) => line.scopes.includes(name)),
    line,
  )
  const path = line.out ?? resultPath(line, result)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(result)}\n`)
  const page = inCheckout('bench/report.html')
  writeFileSync(page, renderPage([result]))
  console.log(line.json ? JSON.stringify(result) : printResult(result))
  console.error(`result: ${path}\nreport: ${page}`)
  if (result.failures) process.exitCode = 1
}

/** A partial run does not replace the result of a whole one. */
function resultPath({ quick, scopes }: CommandLine, { machine, failures }: BenchResult): string {
  const part = quick ? '.quick' : scopes.length < SCOPES.length || failures ? '.partial' : ''
  const name = `node-${machine.node.split('.')[0]}${part}.json`
  return inCheckout(`bench/results/${name}`)
}
