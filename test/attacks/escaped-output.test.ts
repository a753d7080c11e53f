/*
 * What the program prints of a path, an option or an answer that somebody else chose.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'

import { createAuthority } from '../support/certificates.js'
import { writePair } from '../support/files.js'
import { certswap, certswapServeAt } from '../support/program.js'
import { tempDir } from '../support/temp-dir.js'

/** Moves the cursor in two ways, begins another line, and turns the direction of writing. */
const EVIL = 'x\u001b[2J\u009b2J\ncertswap: all is well\u202e\u200f'
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

const COMMANDS: readonly (readonly string[])[] = [
  ['serve', '--cert', EVIL, '--key', EVIL],
  ['serve', '--config', EVIL],
  ['serve', '--config', 'broken.json'],
  ['serve', '--config', 'options.json'],
  ['serve', '--listen', EVIL],
  ['serve', '--upstream', EVIL],
  ['serve', '--hosts', EVIL, '--cert', 'tls.crt', '--key', 'tls.key', '--control', `${EVIL}/control.sock`],
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

test('no command prints a character that moves the cursor, or a line that a path or an option wrote', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, createAuthority().issue())
  mkdirSync(join(cwd, EVIL.replaceAll('/', '')), { recursive: true })
  writeFileSync(join(cwd, 'broken.json'), JSON.stringify({ listen: EVIL }))
  writeFileSync(join(cwd, 'options.json'), JSON.stringify({ [EVIL]: 1, cert: EVIL, key: EVIL }))
  writeFileSync(join(cwd, 'file'), '')
  for (const args of COMMANDS) {
    const { code, stdout, stderr } = await certswap(args, { cwd })
    const said = stdout + stderr
    const dev = args[0] === 'dev' && args[1] === 'init'
    assert.equal(code === 0, dev, `${JSON.stringify(args)}: ${said}`)
    assert.doesNotMatch(said, UNPRINTABLE, JSON.stringify(args))
    assert.doesNotMatch(said, /^certswap: all is well/m, JSON.stringify(args))
  }
})

test('a log line holds no character that moves the cursor, from its first one', async (t) => {
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
  // It still says the same.
  assert.ok(program.lines.some((line) => JSON.stringify(line).includes(evil)))
})

test('what a control server answers reaches no terminal as it is', async (t) => {
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
