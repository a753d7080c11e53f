/* While a mount hangs, programs answer and end: no signal, no command and no exit waits for a call on it. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { writePair } from '../../../support/files/files.js'
import {
  type HangingMount,
  hangingMount,
  withoutHangingMounts,
} from '../../../support/files/hanging-mount.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { runModule } from '../../../support/processes/run-module.js'

const skip = withoutHangingMounts()
const authority = createAuthority()
/** Time limit of a worker thread: a start must stay below it on a busy machine. */
const LIMIT_MS = 2000
const SUSPEND = `import { suspend } from ${JSON.stringify(new URL('../../../support/processes/suspend.js', import.meta.url).href)}`

test('certswap serve answers its control server and ends on SIGTERM while its certificate is on a mount that hangs', {
  skip,
}, async (t) => {
  const { mount, dir, config } = await site(t, { autoReloadInterval: 0.2 })
  const control = join(dir, 'control.sock')
  const program = await certswapServe(t, ['--config', config, '--control', control], { cwd: dir })
  mount.hang()
  const { problems } = await program.line('certificates not reloaded; the old ones stay in service')
  assert.match(JSON.stringify(problems), /a system call on .* has not returned for \d+ s/)
  const { code, stderr } = await certswap(['reload', '--control', control], { cwd: dir })
  assert.match(stderr, /WORKER_TIMEOUT: .*mount\/tls\.crt/)
  assert.equal(code, 1)
  assert.equal(await program.stop('SIGTERM'), 0)
})

test('certswap serve ends on SIGTERM while its control socket is on a mount that hangs', {
  skip,
}, async (t) => {
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  writePair(dir, authority.issue())
  const control = join(mount.path, 'control.sock')
  const program = await certswapServe(t, [...PAIR, '--control', control], { cwd: dir })
  assert.equal(program.control, control)
  mount.hang()
  assert.equal(await program.stop('SIGTERM'), 0)
  mount.answer()
  const again = await certswapServe(t, [...PAIR, '--control', control], { cwd: dir })
  assert.equal(again.control, control)
})

const PAIR = ['--cert', 'tls.crt', '--key', 'tls.key']

test('certswap check ends by itself, with the reason, when its files are on a mount that hangs', {
  skip,
}, async (t) => {
  const { mount, dir, config } = await site(t)
  mount.hang()
  const files = await certswap(['check', '--config', config], { cwd: dir })
  assert.match(files.stdout, /WORKER_TIMEOUT: .*mount\/tls\.crt/)
  assert.equal(files.code, 1)
})

/** It takes the ten seconds that a worker has without a configuration, and depends on no version of Node. */
const skipConfiguration = skip || (process.versions.node.startsWith('20.') ? false : 'runs on Node 20')

test('a configuration file on a mount that hangs ends the command with exit code 5 and the name of the file', {
  skip: skipConfiguration,
}, async (t) => {
  const { mount, dir } = await site(t)
  writeFileSync(join(mount.source, 'config.json'), '{}')
  mount.hang()
  const path = join(mount.path, 'config.json')
  const { code, stderr } = await certswap(['check', '--config', path], { cwd: dir })
  assert.ok(stderr.includes(`--config: ${path} cannot be read: a system call on it has not returned`), stderr)
  assert.equal(code, 5)
})

test('a process that embeds an engine ends with its exit code while a mount hangs', { skip }, async (t) => {
  const { mount, pair } = await site(t)
  for (const [end, expected] of [
    ['process.exit(7)', 7],
    ['await engine.close(); process.exitCode = 4', 4],
  ] as const) {
    const script = `
      ${SUSPEND}
      const { CERT: cert, KEY: key, MOUNT: mount } = process.env
      const engine = await api.createReloadEngine({ cert, key, worker: { timeoutMs: ${LIMIT_MS} } })
      suspend(Number(mount))
      console.log((await engine.reload()).problems[0].code)
      ${end}`
    const { code, stdout } = await runModule(t, script, {
      CERT: pair.cert,
      KEY: pair.key,
      MOUNT: String(mount.pid),
    })
    mount.answer()
    assert.match(stdout, /^WORKER_TIMEOUT$/m)
    assert.equal(code, expected)
  }
})

test('a process that crashes while a mount hangs ends with the error on standard error, as without the hang', {
  skip,
}, async (t) => {
  const { mount, pair } = await site(t)
  const crashes: Readonly<Record<string, RegExp>> = {
    "throw new Error('the application broke')": /^Error: the application broke\n +at /m,
    "throw 'no error'": /^Uncaught:\n'no error'$/m,
  }
  for (const [crash, expected] of Object.entries(crashes)) {
    const script = `
      ${SUSPEND}
      const { CERT: cert, KEY: key, MOUNT: mount } = process.env
      const engine = await api.createReloadEngine({ cert, key, worker: { timeoutMs: ${LIMIT_MS} } })
      suspend(Number(mount))
      await engine.reload()
      setTimeout(() => { ${crash} })`
    const { code, stderr } = await runModule(t, script, {
      CERT: pair.cert,
      KEY: pair.key,
      MOUNT: String(mount.pid),
    })
    mount.answer()
    assert.match(stderr, expected)
    assert.equal(code, 1)
  }
})

test('if the application handles the error and exits, nothing is printed for it', { skip }, async (t) => {
  const { mount, pair } = await site(t)
  const script = `
    ${SUSPEND}
      const { CERT: cert, KEY: key, MOUNT: mount } = process.env
    const engine = await api.createReloadEngine({ cert, key, worker: { timeoutMs: ${LIMIT_MS} } })
    suspend(Number(mount))
    await engine.reload()
    process.on('uncaughtException', () => process.exit(9))
    setTimeout(() => { throw new Error('handled') })`
  const { code, stderr } = await runModule(t, script, {
    CERT: pair.cert,
    KEY: pair.key,
    MOUNT: String(mount.pid),
  })
  mount.answer()
  assert.doesNotMatch(stderr, /handled/)
  assert.equal(code, 9)
})

/** A pair on a mount, and a configuration on a disk that answers. */
async function site(
  t: TestContext,
  options: object = {},
): Promise<{ mount: HangingMount; dir: string; config: string; pair: { cert: string; key: string } }> {
  const mount = await hangingMount(t)
  const dir = tempDir(t)
  writePair(mount.source, authority.issue())
  const pair = { cert: join(mount.path, 'tls.crt'), key: join(mount.path, 'tls.key') }
  const config = join(dir, 'config.json')
  writeFileSync(config, JSON.stringify({ ...pair, worker: { timeoutMs: LIMIT_MS }, ...options }))
  return { mount, dir, config, pair }
}
