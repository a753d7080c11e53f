/* An installation without the optional packages of sources. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

import { tempDir } from '../../support/files/temp-dir.js'
import { installPackage } from '../../support/processes/installed-package.js'

test('without the package of its client, a source ends serve and check with the command that installs it', (t) => {
  const { dir } = installPackage(tempDir(t))
  const program = 'node_modules/certswap/dist/main/cli/bin.js'
  for (const [source, name] of [
    ['spiffe:unix:///run/agent.sock', '@grpc/grpc-js'],
    ['redis://127.0.0.1', 'redis'],
  ] as const) {
    for (const command of ['serve', 'check']) {
      const identity = name === 'redis' ? ['--source-identity', 'web'] : []
      const args = [program, command, '--source', source, ...identity]
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8' })
      assert.equal(status, 2)
      assert.equal(
        stderr,
        `certswap: the package ${name} cannot be loaded\ncertswap: run: npm install ${name}\n`,
      )
    }
  }
})
