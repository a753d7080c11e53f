/*
 * npm run bench:gate
 *
 * A small run, checked against `gates.ts`. Prints every ratio; exits with 1 if one is out of bounds.
 */

import type { Cell, Scope } from './bench.js'
import { cleanUp, cleanUpOnSignals } from './cleanup.js'
import { GATES } from './gates.js'
import { printFailures, printVerdicts } from './print.js'
import { runBench } from './run.js'
import { SCOPES } from './scopes/index.js'
import { judge } from './targets.js'

const SCOPES_OF_GATES = ['gap', 'cpu', 'wire', 'idle', 'memory', 'rotations']

cleanUpOnSignals()
try {
  const scopes = SCOPES.filter(({ name }) => SCOPES_OF_GATES.includes(name)).map(onlyWhatIsAsked)
  const options = { scopes: SCOPES_OF_GATES, whole: false, quick: true, node: process.execPath, rounds: 1 }
  const result = await runBench(scopes, options)
  const verdicts = judge(result, GATES)
  console.log([printVerdicts(verdicts), ...printFailures(result)].join('\n'))
  process.exitCode = verdicts.every(({ met }) => met) && !result.failures ? 0 : 1
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
await cleanUp()
process.exit()

/** Other techniques are measured only in the scope `gap`. */
function onlyWhatIsAsked(scope: Scope): Scope {
  const asked = ({ variant }: Cell) => variant === 'certswap' || scope.name === 'gap'
  return { ...scope, cells: (options) => scope.cells(options).filter(asked) }
}
