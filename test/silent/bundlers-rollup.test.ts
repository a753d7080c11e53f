/* Bundles of Rollup; see `bundlers.test.ts`. */

import { test } from 'node:test'

import { bundlerProject, testBundlers } from '../support/bundled-program.js'
import { onFirstNodeOnly } from '../support/one-node.js'

const needs = ['rollup', '@rollup/plugin-commonjs', '@rollup/plugin-json', '@rollup/plugin-node-resolve']

test('bundles serve and reload where nothing is installed', { skip: onFirstNodeOnly }, async (t) => {
  await testBundlers(t, bundlerProject(t, needs), [
    { name: 'Rollup', needs, command: 'rollup', file: 'rollup/app.mjs' },
  ])
})
