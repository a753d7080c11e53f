import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { parseCommandLine } from '../../bench/options.js'
import { SCOPES } from '../../bench/scopes/index.js'
import { commandsIn } from '../../support/docs/markdown.js'
import { projectRoot } from '../../support/processes/installed-package.js'

const PAGE = join('docs', 'bench.md')
const ofReadme = commandsIn('README.md').filter((command) => command.startsWith('npm run bench'))
const commands = [...commandsIn(PAGE), ...ofReadme]
const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

for (const command of commands) {
  test(`${command} of the page is a script, and accepts its arguments`, () => {
    const [, script = '', given = ''] = /^npm run (\S+)(?: -- (.*))?$/.exec(command) ?? []
    const entry = /build\/bench\/\S+\.js/.exec(scripts[script] ?? '')?.[0] ?? 'no entry'
    assert.ok(existsSync(join(projectRoot, entry)), `${script}: ${entry}`)
    if (script === 'bench') parseCommandLine(given.split(' ').filter(Boolean), scopesOfHelp())
  })
}

test('the README has the command, the chart and the table of the page, with the same figures', () => {
  const [readme, page] = ['README.md', PAGE].map((path) => readFileSync(join(projectRoot, path), 'utf8'))
  assert.equal(ofReadme.length, 1)
  const table = marked(page, 'peers')
  assert.match(table, /\| certswap \|.*\n.*\| naive \|/s)
  assert.equal(marked(readme, 'peers'), table)
  const [, image = ''] = /\((docs\/bench-\S+\.svg)\)/.exec(marked(readme, 'chart')) ?? []
  assert.ok(existsSync(join(projectRoot, image)), image)
})

test('the help names every existing scope', () => {
  assert.deepEqual(
    scopesOfHelp(),
    SCOPES.map(({ name }) => name),
  )
})

function marked(text = '', name: string): string {
  return new RegExp(`<!-- bench:${name} -->(.*?)<!-- /bench:${name} -->`, 's').exec(text)?.[1] ?? ''
}

function scopesOfHelp(): string[] {
  const entry = fileURLToPath(new URL('../../bench/index.js', import.meta.url))
  const { stdout } = spawnSync(process.execPath, [entry, '--help'], { encoding: 'utf8' })
  return /only these: (.*)/.exec(stdout)?.[1]?.split(', ') ?? []
}
