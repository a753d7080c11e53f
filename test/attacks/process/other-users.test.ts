/*
 * Files and sockets that another user placed where the program looks for its own. These tests need root, because only root can
 * change the owner of a file. Most such mistakes are made as root too: `sudo certswap serve` in the directory of a user.
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

import { defaultControlPath, trustedControlPath } from '../../../src/main/cli/control-path.js'
import {
  createDevelopmentIdentity,
  ensureDevelopmentIdentity,
  rotateDevelopmentIdentity,
} from '../../../src/main/cli/dev/identity.js'
import { createControlServer } from '../../../src/main/control/control-server.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'

const OTHER = 65_534
const asRoot: { skip: false | string } = {
  skip: process.geteuid?.() === 0 ? false : 'only root can change the owner of a file',
}

/** Ways in which another user can control `.certswap` in a directory that already holds an identity. */
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
      const dir = join(cwd, '.certswap')
      await createDevelopmentIdentity(dir)
      takeOver(cwd)
      const before = readFileSync(join(dir, 'tls.crt'), 'utf8')
      const unsafe = { code: 'IDENTITY_UNSAFE' }
      await assert.rejects(rotateDevelopmentIdentity(dir), unsafe)
      await assert.rejects(createDevelopmentIdentity(dir, { force: true }), unsafe)
      await assert.rejects(ensureDevelopmentIdentity(dir), unsafe)
      assert.equal(readFileSync(join(dir, 'tls.crt'), 'utf8'), before)
    },
  )
}

test('the program names the owner of the development identity, and the action to take', asRoot, async (t) => {
  const cwd = tempDir(t)
  await createDevelopmentIdentity(join(cwd, '.certswap'))
  chownSync(join(cwd, '.certswap'), OTHER, OTHER)
  for (const args of [
    ['dev', 'rotate'],
    ['serve', '--listen', '127.0.0.1:0', '--no-control'],
  ]) {
    const { code, stderr } = await certswap(args, { cwd })
    assert.equal(code, 3, `${args.join(' ')}: ${stderr}`)
    assert.match(
      stderr,
      /certswap: the development identity in \.certswap is not used: \/.* belongs to user 65534/,
    )
    assert.match(stderr, /run this as that user/)
  }
})

test('no development identity is created in a directory of another user', asRoot, async (t) => {
  const cwd = tempDir(t)
  chownSync(cwd, OTHER, OTHER)
  await assert.rejects(ensureDevelopmentIdentity(join(cwd, '.certswap')), { code: 'IDENTITY_UNSAFE' })
  assert.ok(!existsSync(join(cwd, '.certswap')))
})

test('a development identity in an own directory, below a directory with the sticky bit, is used', async (t) => {
  const cwd = tempDir(t)
  chmodSync(cwd, 0o1777)
  const dir = join(cwd, '.certswap')
  const { fingerprint256 } = await createDevelopmentIdentity(dir)
  symlinkSync('.certswap', join(cwd, 'link'))
  assert.equal((await ensureDevelopmentIdentity(join(cwd, 'link'))).fingerprint256, fingerprint256)
  await rotateDevelopmentIdentity(dir)
})

test('a client ignores a control socket of another user, and reports why', asRoot, async (t) => {
  const cwd = tempDir(t)
  mkdirSync(join(cwd, '.certswap'), { mode: 0o700 })
  const path = join(cwd, '.certswap', 'control.sock')
  const asked = await impostor(t, path)
  chownSync(path, OTHER, OTHER)
  const { code, stderr } = await certswap(['reload'], { cwd })
  assert.equal(code, 3, stderr)
  assert.match(stderr, /certswap: the control socket .* is not used: .* belongs to user 65534/)
  assert.match(stderr, /--control \.certswap\/control\.sock/)
  assert.deepEqual(asked, [])
})

test('a client ignores a control socket on a path that another user controls', asRoot, async (t) => {
  const runtime = tempDir(t)
  const env = { XDG_RUNTIME_DIR: runtime }
  const dir = join(runtime, 'certswap')
  const found = join(dir, 'control.sock')
  mkdirSync(dir, { mode: 0o700 })
  await impostor(t, found)
  const refused = { exitCode: 3 }
  assert.equal(trustedControlPath(undefined, env), found)
  chownSync(found, OTHER, OTHER)
  assert.throws(() => trustedControlPath(undefined, env), refused)
  chownSync(found, 0, 0)
  chownSync(dir, OTHER, OTHER)
  assert.throws(() => trustedControlPath(undefined, env), refused)
  chownSync(dir, 0, 0)
  chmodSync(dir, 0o777)
  assert.throws(() => trustedControlPath(undefined, env), refused)
  chmodSync(dir, 0o700)
  renameSync(found, join(dir, 'real.sock'))
  symlinkSync('real.sock', found)
  assert.equal(trustedControlPath(undefined, env), found)
  lchownSync(found, OTHER, OTHER)
  assert.throws(() => trustedControlPath(undefined, env), refused)
})

test('a runtime directory of another user is not used, even if the environment names it', asRoot, (t) => {
  const runtime = tempDir(t)
  const env = { XDG_RUNTIME_DIR: runtime }
  assert.equal(defaultControlPath(env), join(runtime, 'certswap', 'control.sock'))
  chownSync(runtime, OTHER, OTHER)
  assert.equal(defaultControlPath(env), join('.certswap', 'control.sock'))
})

test(
  'a control socket that is named explicitly may belong to a service, in a directory that only the service can write to',
  asRoot,
  async (t) => {
    const cwd = tempDir(t)
    const path = join(cwd, 'run', 'control.sock')
    mkdirSync(join(cwd, 'run'))
    const asked = await impostor(t, path)
    chownSync(path, OTHER, OTHER)
    chownSync(join(cwd, 'run'), OTHER, OTHER)
    assert.equal((await certswap(['reload', '--control', path], { cwd })).code, 0)
    assert.equal(asked.length, 1)
    chownSync(join(cwd, 'run'), 1, 1)
    assert.throws(() => trustedControlPath(path), { exitCode: 3, message: /in a directory of user 1/ })
    chownSync(join(cwd, 'run'), 0, 0)
    chmodSync(join(cwd, 'run'), 0o1777)
    assert.throws(() => trustedControlPath(path), { exitCode: 3, message: /every user can write to/ })
    chownSync(path, 0, 0)
    assert.equal(trustedControlPath(path), path)
    symlinkSync(path, join(cwd, 'link'))
    assert.equal(trustedControlPath(join(cwd, 'link')), join(cwd, 'link'))
    lchownSync(join(cwd, 'link'), OTHER, OTHER)
    assert.throws(() => trustedControlPath(join(cwd, 'link')), { exitCode: 3, message: /link of user/ })
  },
)

test('a token of another user, and a configuration that every user can write to, are refused', async (t) => {
  const cwd = tempDir(t)
  const config = join(cwd, 'certswap.json')
  writeFileSync(config, '{}')
  chmodSync(config, 0o666)
  const { code, stderr } = await certswap(['check', '--config', config], { cwd })
  assert.equal(code, 3, stderr)
  if (asRoot.skip !== false) return t.diagnostic(asRoot.skip)
  const engine = await startEngine(t, writePair(cwd, createAuthority().issue()))
  const tokenFile = join(cwd, 'token')
  writeFileSync(tokenFile, 'correct-horse-battery-staple', { mode: 0o600 })
  chownSync(tokenFile, OTHER, OTHER)
  const tcp = { port: 0, tokenFile }
  const started = createControlServer({ engine, tcp, logger: recordingLogger() })
  await assert.rejects(started, { code: 'CONTROL_PATH_UNSAFE' })
})

/** A server that answers every request with success; resolves with the requests that it received. */
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
