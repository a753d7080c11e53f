/* Bundles of Rollup; see `bundlers.test.ts`. */

import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { bundlerProject, testBundlers } from '../../../support/processes/bundled-program.js'

const needs = ['rollup', '@rollup/plugin-commonjs', '@rollup/plugin-json', '@rollup/plugin-node-resolve']

test('bundles serve and reload where nothing is installed', { skip: onFirstNodeOnly }, async (t) => {
  await testBundlers(t, bundlerProject(t, needs), [
    { name: 'Rollup', needs, command: 'rollup', file: 'rollup/app.mjs' },
  ])
})
