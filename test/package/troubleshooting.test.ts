/* Compares docs/troubleshooting.md with the tests whose results it describes, and with the actual log lines. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

import { PROBLEM_CODES } from '../../src/workers/base/problem.js'
import { projectRoot } from '../../support/processes/installed-package.js'

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8')

const rows = [...read('docs/troubleshooting.md').matchAll(/^\| (.+) \|$/gm)]
  .map(([, row = '']) => row.split(' | '))
  .filter(([first = '']) => first !== 'symptom' && !first.startsWith('---'))

test('each row has a symptom, an observation, its meaning, an action, and a test', () => {
  assert.ok(rows.length > 40)
  for (const row of rows) assert.equal(row.length, 5, row[0])
})

test('each code of a row is in a test that the row names', () => {
  const known: ReadonlySet<string> = new Set(PROBLEM_CODES)
  for (const [symptom = '', observation = '', meaning = '', , named = ''] of rows) {
    const tests = [...named.matchAll(/`([\w/-]+)`/g)].map(([, name]) => withRows(`test/${name}.test.ts`))
    assert.ok(tests.length > 0, symptom)
    const codes = `${symptom} ${observation} ${meaning}`.match(CODE) ?? []
    for (const code of codes.filter((one) => known.has(one)))
      assert.ok(tests.join('').includes(code), `${code} is in none of ${named}`)
  }
})

test('each log line of a row is one that certswap logs', () => {
  const logged = read('docs/metrics.md')
  const lines = rows.flatMap(([, observation = '']) => [...observation.matchAll(/line `([^`]+)`/g)])
  assert.ok(lines.length > 4)
  for (const [, line] of lines) assert.ok(logged.includes(`\`${line}\``), line)
})

const CODE = /\b[A-Z]{2,}_[A-Z_]{2,}\b/g

/** A test of the corpus keeps its cases in separate files. */
function withRows(path: string): string {
  const text = read(path)
  const imports = [...text.matchAll(/from '(\.\/rows\/[\w-]+)\.js'/g)]
  return text + imports.map(([, name = '']) => read(join(dirname(path), `${name}.ts`))).join('')
}
