/*
 * Files and sockets that another user has put where the program looks for its own. Each of these tests is run by root,
 * who alone can give a file away, and so are most of the mistakes: `sudo certswap serve` in somebody's directory.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { createControlServer } from '../../src/main/control/control-server.js'
import { createAuthority } from '../support/certificates.js'
import { startEngine } from '../support/engines.js'
import { writePair } from '../support/files.js'
import { certswap, certswapServe } from '../support/program.js'
import { recordingLogger } from '../support/recording-logger.js'
import { tempDir } from '../support/temp-dir.js'

const OTHER = 65_534
const asRoot = { skip: process.geteuid?.() === 0 ? false : 'only root can give files away' }

/** How another user gets a say in what lies in `.certswap` of a directory, where an identity lies already. */
const TAKEOVERS: Readonly<Record<string, (cwd: string) => void>> = {
  'the directory belongs to another user': (cwd) => chownSync(join(cwd, '.certswap'), OTHER, OTHER),
  'the directory is a link of another user': (cwd) => {
    renameSync(join(cwd, '.certswap'), join(cwd, 'elsewhere'))
    symlinkSync('elsewhere', join(cwd, '.certswap'))
    lchownSync(join(cwd, '.certswap'), OTHER, OTHER)
  },
  'the directory is a link to one of another user': (cwd) => {
    renameSync(join(cwd, '.certswap'), join(cwd, 'elsewhere'))
    chownSync(join(cwd, 'elsewhere'), OTHER, OTHER)
    symlinkSync('elsewhere', join(cwd, '.certswap'))
  },
  'the directory is in one of another user': (cwd) => chownSync(cwd, OTHER, OTHER),
  'every user can write to the directory': (cwd) => chmodSync(join(cwd, '.certswap'), 0o777),
  'every user can write to the directory that it is in': (cwd) => chmodSync(cwd, 0o777),
  'the key of the authority belongs to another user': (cwd) =>
    chownSync(join(cwd, '.certswap', 'ca.key'), OTHER, OTHER),
  'the key is a link to one of another user': (cwd) => {
    const key = join(cwd, '.certswap', 'tls.key')
    const other = join(cwd, 'other.key')
    renameSync(key, other)
    chownSync(other, OTHER, OTHER)
    symlinkSync(other, key)
  },
  'every user can write to the certificate': (cwd) => chmodSync(join(cwd, '.certswap', 'tls.crt'), 0o666),
}

for (const [what, takeOver] of Object.entries(TAKEOVERS)) {
  test(
    `a development identity is neither served nor renewed nor replaced where ${what}`,
    asRoot,
    async (t) => {
      const cwd = tempDir(t)
      assert.equal((await certswap(['dev', 'init'], { cwd })).code, 0)
      takeOver(cwd)
      const before = readFileSync(join(cwd, '.certswap', 'tls.crt'), 'utf8')
      for (const args of [
        ['dev', 'rotate'],
        ['dev', 'init', '--force'],
        ['serve', '--listen', '127.0.0.1:0', '--no-control'],
      ]) {
        const { code, stderr } = await certswap(args, { cwd })
        assert.equal(code, 3, `${args.join(' ')}: ${stderr}`)
        assert.match(stderr, /certswap: the development identity in \.certswap is not used: \//)
      }
      assert.equal(readFileSync(join(cwd, '.certswap', 'tls.crt'), 'utf8'), before)
    },
  )
}

test('no development identity is made in a directory of another user', asRoot, async (t) => {
  const cwd = tempDir(t)
  chownSync(cwd, OTHER, OTHER)
  const { code, stderr } = await certswap(['serve', '--listen', '127.0.0.1:0', '--no-control'], { cwd })
  assert.equal(code, 3, stderr)
  assert.ok(!existsSync(join(cwd, '.certswap')))
})

test('a development identity in a directory of our own, below one with the sticky bit, is served', async (t) => {
  const cwd = tempDir(t)
  if (process.geteuid?.() === 0) chmodSync(cwd, 0o1777)
  assert.equal((await certswap(['dev', 'init'], { cwd })).code, 0)
  const program = await certswapServe(t, ['--no-control'], { cwd })
  assert.equal(await program.stop(), 0)
  assert.equal((await certswap(['dev', 'rotate'], { cwd })).code, 0)
})

test('a client believes no control socket of another user that it finds', asRoot, async (t) => {
  for (const where of ['.certswap', 'runtime/certswap']) {
    const cwd = tempDir(t)
    mkdirSync(join(cwd, where), { recursive: true, mode: 0o700 })
    const path = join(cwd, where, 'control.sock')
    const asked = await impostor(t, path)
    const env = where === '.certswap' ? {} : { XDG_RUNTIME_DIR: join(cwd, 'runtime') }
    chownSync(path, OTHER, OTHER)
    for (const command of ['reload', 'status', 'rollback', 'drain']) {
      const { code, stderr } = await certswap([command], { cwd, env })
      assert.equal(code, 3, stderr)
      assert.match(stderr, /certswap: the control socket .* is not used: .* belongs to user 65534/)
    }
    assert.deepEqual(asked, [])
  }
})

test(
  'a client believes no control socket that it finds in a directory, or by a link, of another user',
  asRoot,
  async (t) => {
    const cwd = tempDir(t)
    const real = join(cwd, 'real.sock')
    const asked = await impostor(t, real)
    mkdirSync(join(cwd, '.certswap'), { mode: 0o700 })
    const found = join(cwd, '.certswap', 'control.sock')
    symlinkSync(real, found)
    lchownSync(found, OTHER, OTHER)
    assert.equal((await certswap(['reload'], { cwd })).code, 3)
    lchownSync(found, 0, 0)
    assert.equal((await certswap(['reload'], { cwd })).code, 0)
    chownSync(join(cwd, '.certswap'), OTHER, OTHER)
    assert.equal((await certswap(['reload'], { cwd })).code, 3)
    assert.equal(asked.length, 1)
  },
)

test(
  'a runtime directory of another user is not ours, though the environment names it',
  asRoot,
  async (t) => {
    const cwd = tempDir(t)
    const runtime = join(cwd, 'runtime')
    mkdirSync(runtime, { mode: 0o700 })
    chownSync(runtime, OTHER, OTHER)
    writePair(cwd, createAuthority().issue())
    const env = { XDG_RUNTIME_DIR: runtime }
    const program = await certswapServe(t, ['--cert', 'tls.crt', '--key', 'tls.key'], { cwd, env })
    assert.equal(program.control, join(cwd, '.certswap', 'control.sock'))
    assert.equal((await certswap(['reload'], { cwd, env })).code, 0)
    assert.equal(await program.stop(), 0)
  },
)

test(
  'a control socket that is named may belong to a service, in a directory that only the service can write to',
  asRoot,
  async (t) => {
    const cwd = tempDir(t)
    const path = join(cwd, 'run', 'control.sock')
    mkdirSync(join(cwd, 'run'))
    const asked = await impostor(t, path)
    chownSync(path, OTHER, OTHER)
    chownSync(join(cwd, 'run'), OTHER, OTHER)
    assert.equal((await certswap(['reload', '--control', path], { cwd })).code, 0)
    chownSync(join(cwd, 'run'), 1, 1)
    assert.equal((await certswap(['reload', '--control', path], { cwd })).code, 3)
    chownSync(join(cwd, 'run'), 0, 0)
    chmodSync(join(cwd, 'run'), 0o1777)
    const { code, stderr } = await certswap(['reload', '--control', path], { cwd })
    assert.equal(code, 3)
    assert.match(stderr, /in a directory that every user can write to/)
    assert.equal(asked.length, 1)
  },
)

test('a token of another user, and a configuration that every user can write to, are not used', async (t) => {
  const cwd = tempDir(t)
  const config = join(cwd, 'certswap.json')
  writeFileSync(config, '{}')
  chmodSync(config, 0o666)
  const { code, stderr } = await certswap(['check', '--config', config], { cwd })
  assert.equal(code, 3, stderr)
  if (asRoot.skip) return t.diagnostic(asRoot.skip)
  const engine = await startEngine(t, writePair(cwd, createAuthority().issue()))
  const tokenFile = join(cwd, 'token')
  writeFileSync(tokenFile, 'correct-horse-battery-staple', { mode: 0o600 })
  chownSync(tokenFile, OTHER, OTHER)
  const tcp = { port: 0, tokenFile }
  const started = createControlServer({ engine, tcp, logger: recordingLogger() })
  await assert.rejects(started, { code: 'CONTROL_PATH_UNSAFE' })
})

/** A server that says yes to everything; the requests that it got come back. */
async function impostor(t: TestContext, path: string): Promise<string[]> {
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const view = {
      status: 'reloaded',
      generation: 9,
      contexts: [],
      changed_files: [],
      warnings: [],
      hosts: null,
    }
    response.end(JSON.stringify(view))
  })
  server.listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  return asked
}
