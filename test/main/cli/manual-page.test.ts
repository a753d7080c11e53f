import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { definitionOf, withDescendants } from '../../../src/main/cli/definitions.js'
import { EXIT_MEANINGS } from '../../../src/main/cli/exit-codes.js'
import { manualPage } from '../../../src/main/cli/manual-page.js'
import { createProgram } from '../../../src/main/cli/program.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { projectRoot } from '../../../support/processes/installed-package.js'
import { certswap } from '../../../support/processes/program.js'

const program = definitionOf(createProgram())
const page = manualPage(program, '1.2.3')

const without = (tool: string, probe: string, install: string): false | string =>
  spawnSync(tool, [probe]).error ? `needs ${tool}: apt-get install ${install}` : false

test('the program prints its manual page, which equals the installed one', async (t) => {
  const { code, stdout } = await certswap(['man'], { cwd: tempDir(t) })
  assert.equal(code, 0)
  const { man, version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    man: readonly string[]
    version: string
  }
  assert.equal(stdout, manualPage(program, version))
  assert.equal(man.length, 1)
  const installed = readFileSync(join(projectRoot, man[0] as string), 'utf8')
  assert.ok(installed === stdout, 'the tested files equal the built ones: npm run build')
})

test('groff prints no warning, and shows every command, flag and exit code', {
  skip: without('groff', '--version', 'groff'),
}, () => {
  const options = ['-man', '-Tascii', '-ww', '-P-cbou', '-rLL=10000m']
  const { status, stdout, stderr } = spawnSync('groff', options, { input: page, encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  const shown = stdout.replace(/ +/g, ' ')
  for (const { words, options, commands, description } of withDescendants(program)) {
    if (commands.length > 0) continue
    const start = shown.indexOf(` certswap ${words.join(' ')} `, shown.indexOf('COMMANDS'))
    assert.notEqual(start, -1, words.join(' '))
    const end = shown.indexOf('\n certswap ', start + 1)
    const section = shown.slice(start, end === -1 ? undefined : end)
    assert.ok(section.toLowerCase().includes(description.toLowerCase()), description)
    for (const { names, value } of options.filter(({ names }) => !names.includes('--help'))) {
      assert.ok(section.includes(`${names.join(', ')}${value ? ` ${value.name}` : ''}`), names.join())
    }
  }
  for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) {
    assert.ok(shown.toLowerCase().includes(` ${code} ${meaning.toLowerCase()}.`), code)
  }
})

test('mandoc prints no warning except about the date, which a generated page omits', {
  skip: without('mandoc', '-V', 'mandoc'),
}, () => {
  const { stdout } = spawnSync('mandoc', ['-Tlint', '-W', 'warning'], { input: page, encoding: 'utf8' })
  assert.deepEqual(
    stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date')),
    [],
  )
})

test('text that looks like roff is shown literally', () => {
  const odd = { ...program, description: '\'a \\fB"quoted"\\fR -- .b' }
  const [, , name] = manualPage(odd, '1').split('\n')
  assert.equal(name, 'certswap \\- \\&\'a \\efB"quoted"\\efR \\-\\- .b')
})
