/* Bundles of webpack, and of ncc, which is built on it; see `bundlers.test.ts`. */

import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { bundlerProject, testBundlers } from '../../../support/processes/bundled-program.js'

test('bundles serve and reload where nothing is installed', { skip: onFirstNodeOnly }, async (t) => {
  await testBundlers(t, bundlerProject(t, ['webpack']), [
    { name: 'webpack', needs: ['webpack'], command: 'webpack', file: 'webpack/app.cjs' },
    { name: 'ncc', needs: ['@vercel/ncc'], command: 'ncc build', file: 'ncc/index.js' },
  ])
})
