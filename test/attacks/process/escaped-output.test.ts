/* Output of the program for a path, an option or an answer that somebody else chose. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServeAt } from '../../../support/processes/program.js'

/** Moves the cursor in two ways, begins another line, and reverses the direction of writing. */
const EVIL = 'x\u001b[2J\u009b2J\ncertswap: all is well\u202e\u200f'
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

const programModule = new URL('../../../src/main/cli/program.js', import.meta.url).href

const COMMANDS: readonly (readonly string[])[] = [
  ['serve', '--cert', EVIL, '--key', EVIL],
  ['serve', '--config', EVIL],
  ['serve', '--config', 'broken.json'],
  ['serve', '--config', 'options.json'],
  ['serve', '--listen', EVIL],
  ['serve', '--upstream', EVIL],
  ['serve', `--${EVIL}`],
  ['serve', '--processes', EVIL],
  ['serve', '--log-level', EVIL],
  ['check', '--cert', EVIL, '--key', EVIL],
  ['check', '--ca', EVIL, '--cert', 'tls.crt', '--key', 'tls.key'],
  ['check', '--json', '--ca', EVIL, '--cert', 'tls.crt', '--key', 'tls.key'],
  ['dev', 'init', '--dir', EVIL],
  ['dev', 'rotate', '--dir', EVIL],
  ['dev', 'rotate', '--dir', 'file'],
  ['dev', 'rotate', '--dir', `missing${EVIL}`],
  ['reload', '--control', EVIL],
  ['reload', '--context', EVIL],
  ['status', '--control', `missing${EVIL}`],
  ['drain', '--uri', EVIL],
  [EVIL],
  ['completion', EVIL],
]

test('no command prints a character that moves the cursor, or a line that a path or an option injected', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, createAuthority().issue())
  writeFileSync(join(cwd, 'broken.json'), JSON.stringify({ listen: EVIL }))
  writeFileSync(join(cwd, 'options.json'), JSON.stringify({ [EVIL]: 1, cert: EVIL, key: EVIL }))
  writeFileSync(join(cwd, 'file'), '')
  const script = `
    const { runProgram } = await import(process.env.PROGRAM)
    const codes = []
    for (const args of JSON.parse(process.env.COMMANDS)) codes.push(await runProgram(['node', 'certswap', ...args]))
    process.stdout.write('codes ' + JSON.stringify(codes))
    process.exit()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    env: { ...process.env, PROGRAM: programModule, COMMANDS: JSON.stringify(COMMANDS) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [output, codes = '[]'] = stdout.split('codes ')
  JSON.parse(codes).forEach((code: number, i: number) => {
    assert.equal(
      code === 0,
      COMMANDS[i]?.[3] === EVIL && COMMANDS[i]?.[0] === 'dev',
      JSON.stringify(COMMANDS[i]),
    )
  })
  assert.equal(JSON.parse(codes).length, COMMANDS.length)
  assert.match(stderr, /\\u009b2J/)
  assert.doesNotMatch(output + stderr, UNPRINTABLE)
  assert.doesNotMatch(output + stderr, /^certswap: all is well/m)
})

test('a log line holds no character that moves the cursor', async (t) => {
  const cwd = tempDir(t)
  const leaf = createAuthority().issue()
  const evil = join(cwd, 'a\u009b2J\u202eb')
  mkdirSync(evil)
  writePair(evil, leaf)
  const program = await certswapServeAt(
    t,
    ['--listen', '127.0.0.1:0', '--cert', join(evil, 'tls.crt'), '--key', join(evil, 'tls.key')],
    { cwd: evil },
  )
  let raw = ''
  program.child.stdout?.on('data', (chunk) => {
    raw += chunk
  })
  writeFileSync(join(evil, 'tls.crt'), 'broken')
  program.child.kill('SIGHUP')
  await program.line('SIGHUP handled')
  assert.equal(await program.stop(), 0)
  assert.match(raw, /\\u009b2J/)
  assert.doesNotMatch(raw, UNPRINTABLE)
  // The escaped text has the same meaning.
  assert.ok(program.lines.some((line) => JSON.stringify(line).includes(evil)))
})

test('an answer of a control server is escaped before it reaches a terminal', async (t) => {
  const cwd = tempDir(t)
  const path = join(cwd, 'control.sock')
  const certificate = {
    subject: EVIL,
    issuer: EVIL,
    names: [EVIL],
    serial: EVIL,
    fingerprint256: EVIL,
    not_before: EVIL,
  }
  const context = {
    name: EVIL,
    ...certificate,
    not_after: EVIL,
    chain_not_after: '',
    key_type: EVIL,
    alternates: [],
  }
  const view = {
    status: 'reloaded',
    generation: 1,
    contexts: [context],
    changed_files: [EVIL],
    warnings: [],
    hosts: null,
  }
  const server = http.createServer((_request, response) => response.end(`${JSON.stringify(view)}\n`))
  server.listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  for (const more of [[], ['--json']]) {
    const { code, stdout, stderr } = await certswap(['reload', '--control', path, ...more], { cwd })
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stdout, UNPRINTABLE)
    assert.doesNotMatch(stdout, /^certswap: all is well/m)
  }
})
