import assert from 'node:assert/strict'
import { relative } from 'node:path'
import { test } from 'node:test'

import { assertExecutable, parseCommandLine } from '../../bench/options.js'

const known = ['gap', 'wire']

test('by default a run measures every scope in five rounds on the current Node', () => {
  const { scopes, rounds, node, quick } = parseCommandLine([], known)
  assert.deepEqual(
    { scopes, rounds, node, quick },
    { scopes: known, rounds: 5, node: process.execPath, quick: false },
  )
  const parsed = parseCommandLine(
    ['--scope', 'wire', '--quick', '--rounds=3', '--node', relative('.', process.execPath)],
    known,
  )
  assert.deepEqual([parsed.scopes, parsed.rounds, parsed.node], [['wire'], 3, process.execPath])
  assert.equal(parseCommandLine(['--quick'], known).rounds, 1)
  assert.deepEqual([parseCommandLine([], known).whole, parsed.whole], [true, false])
})

for (const args of [['--scope', 'gap,nothing'], ['--rounds', '0'], ['--rounds', 'x'], ['--fast'], ['gap']]) {
  test(`${args.join(' ')} is refused`, () => {
    assert.throws(() => parseCommandLine(args, known), TypeError)
  })
}

test('a missing Node version is refused before anything is measured', () => {
  assert.throws(() => assertExecutable('/no/node'), TypeError)
  assertExecutable(process.execPath)
})
