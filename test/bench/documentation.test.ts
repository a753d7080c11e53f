import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { parseCommandLine } from '../../bench/options.js'
import { SCOPES } from '../../bench/scopes/index.js'
import { projectRoot } from '../support/installed-package.js'
import { commandsIn } from '../support/markdown.js'

const commands = commandsIn(join('docs', 'bench.md'))
const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

for (const command of commands) {
  test(`${command} of the page is a script, and takes what it is given`, () => {
    const [, script = '', given = ''] = /^npm run (\S+)(?: -- (.*))?$/.exec(command) ?? []
    const entry = /build\/bench\/\S+\.js/.exec(scripts[script] ?? '')?.[0] ?? 'no entry'
    assert.ok(existsSync(join(projectRoot, entry)), `${script}: ${entry}`)
    if (script === 'bench') parseCommandLine(given.split(' ').filter(Boolean), scopesOfHelp())
  })
}

test('the help names every scope that there is', () => {
  assert.deepEqual(
    scopesOfHelp(),
    SCOPES.map(({ name }) => name),
  )
})

function scopesOfHelp(): string[] {
  const entry = fileURLToPath(new URL('../../bench/index.js', import.meta.url))
  const { stdout } = spawnSync(process.execPath, [entry, '--help'], { encoding: 'utf8' })
  return /only these: (.*)/.exec(stdout)?.[1]?.split(', ') ?? []
}
