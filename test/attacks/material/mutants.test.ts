/*
 * Certificates, lists, keys and PKCS#12 files that were changed in their structure and then signed again, so that the signature
 * check does not keep a change from the code that reads deeper. They are read in a separate process, so that a crash of native
 * code is noticed and reported with the number of the mutant. `CERTSWAP_FUZZ` sets their number.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { fuzzCases, seed } from '../../../support/base/long-mode.js'

const RUNS = fuzzCases(2000)

test(`none of ${RUNS} re-signed mutants ends the process, throws or takes a second, and the material that is served can be verified`, async (t) => {
  t.diagnostic(`CERTSWAP_SEED=${seed}`)
  const { lines, code, signal } = await readMutants(t, 0, RUNS)
  const served = lines.filter((line) => line === 'served').length
  const last = lines.findLast((line) => /^\d/.test(line))
  assert.deepEqual(
    { code, signal },
    { code: 0, signal: null },
    `ended at mutant ${last} (CERTSWAP_SEED=${seed})`,
  )
  const wrong = lines.flatMap((line, i) => (line.startsWith('!') ? [`${lines[i - 1]}: ${line}`] : []))
  assert.deepEqual(wrong, [], `CERTSWAP_SEED=${seed}`)
  t.diagnostic(`${served} of them were served`)
  assert.ok(served > RUNS / 50, `only ${served} were served`)
})

async function readMutants(t: TestContext, from: number, to: number) {
  const script = fileURLToPath(new URL('../../../support/cases/mutant-run.js', import.meta.url))
  const child = spawn(process.execPath, [script, String(seed), String(from), String(to)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [output, [code, signal]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ])
  return { lines: output.trim().split('\n'), code, signal }
}
