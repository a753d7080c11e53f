/* The completion scripts, tested in their shells. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { completionScript, type Shell } from '../../../src/main/cli/completion/index.js'
import { definitionOf, withDescendants } from '../../../src/main/cli/definitions.js'
import { createProgram } from '../../../src/main/cli/program.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap } from '../../../support/processes/program.js'

const program = definitionOf(createProgram())
const commands = withDescendants(program)

/** The typed text, and the completions of its last word. */
const CASES: readonly (readonly [typed: readonly string[], offered: readonly string[]])[] = [
  [['rel'], ['reload']],
  [
    ['dev', ''],
    ['init', 'rotate'],
  ],
  [['dev', 'rot'], ['rotate']],
  [['reload', '--dr'], ['--dry-run']],
  [['dev', 'init', '--fo'], ['--force']],
  // Not of this command.
  [['dev', 'rotate', '--fo'], []],
  [['serve', '--log-level', 'de'], ['debug']],
  [
    ['serve', '--cert', 'tls.crt', '--min-version', 'TLSv1.'],
    ['TLSv1.2', 'TLSv1.3'],
  ],
  [['completion', 'z'], ['zsh']],
  // Any word could follow.
  [['serve', '--listen', ''], []],
]

const without = (shell: Shell): false | string =>
  spawnSync(shell, ['--version']).status === 0 ? false : `needs ${shell}: apt-get install ${shell}`

test('the program prints a script for each shell, and refuses others with exit code 2', async (t) => {
  const cwd = tempDir(t)
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { code, stdout } = await certswap(['completion', shell], { cwd })
    assert.deepEqual([code, stdout], [0, completionScript(shell, program)])
  }
  assert.equal((await certswap(['completion', 'tcsh'], { cwd })).code, 2)
})

test('bash offers the matching completions', { skip: without('bash') }, (t) => {
  const offered = inBash(t, [...CASES.map(([typed]) => typed), ['serve', '--log-level', '=', 'de']])
  assert.deepEqual(offered, [...CASES.map(([, words]) => words), ['debug']])
})

test('bash offers every command, and every flag once a hyphen is typed', { skip: without('bash') }, (t) => {
  const flags = inBash(
    t,
    commands.map(({ words }) => [...words, '-']),
  )
  const others = inBash(
    t,
    commands.map(({ words }) => [...words, '']),
  )
  commands.forEach(({ options, commands, arguments: values }, i) => {
    const names = options.flatMap(({ names }) => names)
    const words = [
      ...commands.map(({ words }) => words.at(-1) as string),
      ...values.flatMap(({ choices }) => choices ?? []),
    ]
    assert.deepEqual(flags[i], names)
    assert.deepEqual(others[i], words.length > 0 ? words : names)
  })
})

test('bash offers files where a path is expected, and nowhere else', { skip: without('bash') }, (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'a file.crt'), '')
  // Readline's behaviour for an empty answer depends on these.
  const script = `compopt() { echo "compopt $*"; }
COMP_WORDS=(certswap serve --cert ''); COMP_CWORD=3; _certswap; echo "\${#COMPREPLY[@]}"
COMP_WORDS=(certswap serve --listen ''); _certswap; echo "\${#COMPREPLY[@]}"
complete -p certswap`
  assert.deepEqual(linesOf(t, 'bash', [scriptFile(t, 'bash', script)]), [
    '0',
    'compopt +o default +o bashdefault',
    '0',
    'complete -o bashdefault -o default -F _certswap certswap',
  ])
})

test('fish offers the matching completions', { skip: without('fish') }, (t) => {
  const queries = CASES.map(([typed]) => `echo -; complete -C '${['certswap', ...typed].join(' ')}'`)
  const lines = linesOf(t, 'fish', ['--no-config', scriptFile(t, 'fish', queries.join('\n'))])
  const offered = lines.join('\n').split(/^-$/m).slice(1)
  assert.deepEqual(
    offered.map((text) => [...text.matchAll(/^([^\t\n]+)/gm)].map(([, word]) => word)),
    CASES.map(([, words]) => words),
  )
})

test('zsh offers the matching completions, in a terminal', { skip: without('zsh') }, (t) => {
  // The Tab key inserts an unambiguous completion; a function in place of the program prints its arguments.
  const cases = CASES.filter(([, words]) => words.length === 1)
  const typed = cases.map(([words]) => `'${['certswap', ...words].join(' ')}'`).join(' ')
  const script = join(tempDir(t), '_certswap')
  writeFileSync(script, completionScript('zsh', program))
  const inTerminal = `zmodload zsh/zpty
zpty terminal zsh -f -i
zpty -w terminal "PS1=; autoload -U compinit; compinit -D -u; source ${script}; certswap() { print -r -- \\"<<\\$*>>\\" }; print -r -- REA''DY"
zpty -r -m terminal out '*READY*'
for line in ${typed}; do
  zpty -w -n terminal "$line"$'\\t\\n'
  zpty -r -m terminal out '*<<*>>*'
  print -r -- "\${\${out##*<<}%%>>*}"
done
zpty -d terminal`
  assert.deepEqual(
    linesOf(t, 'zsh', ['-f', '-c', inTerminal]),
    cases.map(([words, [offered]]) => [...words.slice(0, -1), offered].join(' ')),
  )
})

/** The completions of the last word, for each list of words. */
function inBash(t: TestContext, typed: readonly (readonly string[])[]): string[][] {
  const queries = typed.map(
    (words) =>
      `COMP_WORDS=(certswap ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}\n` +
      `_certswap; echo "\${COMPREPLY[*]}"`,
  )
  const lines = linesOf(t, 'bash', [scriptFile(t, 'bash', queries.join('\n'))])
  return lines.map((line) => line.split(' ').filter((word) => word !== ''))
}

/** A file with the completion script and its test commands. */
function scriptFile(t: TestContext, shell: Shell, script: string): string {
  const path = join(tempDir(t), 'script')
  writeFileSync(path, `${completionScript(shell, program)}\n${script}\n`)
  return path
}

/** The output of a shell; asserts that it prints no errors. */
function linesOf(t: TestContext, shell: Shell, args: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(shell, args, {
    cwd: tempDir(t),
    env: { ...process.env, HOME: tempDir(t) },
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout.replace(/\n$/, '').split('\n')
}
