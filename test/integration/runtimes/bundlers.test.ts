/*
 * A bundle failed with `Dynamic require`, `Invalid URL` or `Terminating worker thread`, because it did not contain the files of
 * the threads. The bundles of docs/bundlers.md now run where nothing is installed; webpack and Rollup have test files of their
 * own.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { commandsIn } from '../../../support/docs/markdown.js'
import {
  bundlerCommand,
  bundlerProject,
  failureOfBundle,
  runBundler,
  testBundlers,
  withoutNpx,
} from '../../../support/processes/bundled-program.js'
import { without } from '../../../support/processes/programs.js'

test('every command of the page is run by these tests', () => {
  const run = ['--format=cjs', '--format=esm', 'ncc build', 'webpack', 'rollup', 'bun build', 'jest']
  const known = [...run, '--build-sea', '--experimental-loader'].map(bundlerCommand)
  assert.deepEqual(commandsIn('docs/bundlers.md').map(withoutNpx).sort(), known.sort())
})

test('bundles serve and reload where nothing is installed', { skip: onFirstNodeOnly }, async (t) => {
  const dir = bundlerProject(t)
  const needs = ['esbuild']
  await testBundlers(t, dir, [
    { name: 'esbuild, as CommonJS', needs, command: '--format=cjs', file: 'esbuild-cjs/app.cjs' },
    { name: 'esbuild, as an ES module', needs, command: '--format=esm', file: 'esbuild-esm/app.mjs' },
    { name: 'Bun', needs: ['bun'], command: 'bun build', file: 'bun/app.mjs' },
  ])
})

test('an ES module of esbuild without its banner reports that the logger is missing, and exits', {
  skip: onFirstNodeOnly || without('esbuild'),
}, (t) => {
  const dir = bundlerProject(t)
  runBundler(bundlerCommand('--format=esm').replace(/ "--banner.*/, ''), dir)
  const text = failureOfBundle(t, join(dir, 'out', 'esbuild-esm'), 'app.mjs')
  assert.match(text, /LOGGER_UNAVAILABLE/)
  assert.match(text, /set the option `logger`, or see docs\/bundlers\.md/)
})

test('a bundle that has lost the code of its threads reports it, and exits', {
  skip: onFirstNodeOnly || without('esbuild'),
}, (t) => {
  const dir = bundlerProject(t)
  writeFileSync(
    join(dir, 'node_modules/certswap/dist/main/threads/inlined.js'),
    'export const Piscina = null',
  )
  runBundler(bundlerCommand('--format=cjs'), dir)
  const text = failureOfBundle(t, join(dir, 'out', 'esbuild-cjs'), 'app.cjs')
  assert.match(text, /WORKER_UNAVAILABLE/)
  assert.match(text, /the files of the worker threads are missing/)
})
