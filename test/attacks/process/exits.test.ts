/* The process ends when requested, with its exit code, also when a thread hangs: Node's own exit waits for such a thread. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { POISON_HOOK, poisons } from '../../../support/worker/poisons.js'

const authority = createAuthority()
const TIMEOUT_MS = 1_200

const ends: Readonly<Record<string, readonly [script: string, code: number]>> = {
  'calls process.exit()': ['process.exit(7)', 7],
  'has nothing left to do': ['await engine.close(); process.exitCode = 4', 4],
  'throws an uncaught error': ["setTimeout(() => { throw new Error('uncaught') }, 10)", 1],
  'calls process.exit() in a listener of exit': [
    "process.on('exit', () => process.exit(9)); process.exit(7)",
    9,
  ],
  'calls process.exit() in a listener that was added before the engine': [
    'globalThis.last = 8; process.exit(7)',
    8,
  ],
}

for (const [how, [script, code]] of Object.entries(ends)) {
  test(`a process that ${how} ends with its exit code while a thread hangs`, async (t) => {
    const poison = poisons(t)
    const dir = tempDir(t)
    const bad = authority.issue()
    poison.add(bad.keyPem, 'hangs')
    const pair = writePair(dir, authority.issue())
    const source = `
      import * as api from ${JSON.stringify(new URL('../../../src/main/index.js', import.meta.url).href)}
      import { copyFileSync } from 'node:fs'
      const { CERT: cert, KEY: key, BAD: bad } = process.env
      process.on('exit', () => {
        console.log('said goodbye')
        if (globalThis.last) process.exit(globalThis.last)
      })
      const engine = await api.createReloadEngine({ cert, key, worker: { timeoutMs: ${TIMEOUT_MS} }, logger: undefined })
      copyFileSync(bad + '/tls.crt', cert)
      copyFileSync(bad + '/tls.key', key)
      const { problems } = await engine.reload()
      console.log(problems[0]?.code)
      ${script}`
    const badDir = tempDir(t)
    writePair(badDir, bad)
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      env: { ...hooked(poison.path), CERT: pair.cert, KEY: pair.key, BAD: badDir },
      stdio: ['ignore', 'pipe', 'ignore'],
      // Far shorter than the thread hangs.
      timeout: 25_000,
      killSignal: 'SIGKILL',
    })
    const [stdout, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'close')])
    assert.match(stdout, /WORKER_TIMEOUT/)
    assert.match(stdout, /said goodbye/)
    assert.equal(exitCode, code)
  })
}

test('a process that calls process.exit() during a reload ends with its exit code before any time limit passes', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  const bad = authority.issue()
  poison.add(bad.keyPem, 'hangs')
  const pair = writePair(dir, authority.issue())
  const badDir = tempDir(t)
  writePair(badDir, bad)
  const source = `
    import * as api from ${JSON.stringify(new URL('../../../src/main/index.js', import.meta.url).href)}
    import { copyFileSync } from 'node:fs'
    const { CERT: cert, KEY: key, BAD: bad } = process.env
    const engine = await api.createReloadEngine({ cert, key, worker: { timeoutMs: 600_000 }, logger: undefined })
    copyFileSync(bad + '/tls.crt', cert)
    copyFileSync(bad + '/tls.key', key)
    void engine.reload()
    setTimeout(() => process.exit(7), 2000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...hooked(poison.path), CERT: pair.cert, KEY: pair.key, BAD: badDir },
    stdio: 'ignore',
    timeout: 25_000,
    killSignal: 'SIGKILL',
  })
  const [exitCode] = await once(child, 'close')
  assert.equal(exitCode, 7)
})

test('certswap check prints its answer and exits while a thread hangs', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  const bad = authority.issue()
  poison.add(bad.keyPem, 'hangs')
  const pair = writePair(dir, bad)
  const config = join(dir, 'config.json')
  writeFileSync(config, JSON.stringify({ ...pair, worker: { timeoutMs: TIMEOUT_MS } }))
  const { code, stdout } = await certswap(['check', '--json', '--config', config], {
    cwd: dir,
    env: hooked(poison.path),
  })
  assert.equal(code, 1)
  assert.match(stdout, /WORKER_TIMEOUT.*tls\.key/s)
})

test('certswap serve exits on SIGTERM with exit code 0 while a thread hangs', async (t) => {
  const poison = poisons(t)
  const dir = tempDir(t)
  const pair = writePair(dir, authority.issue())
  const config = join(dir, 'config.json')
  writeFileSync(
    config,
    JSON.stringify({ ...pair, worker: { timeoutMs: TIMEOUT_MS }, autoReloadInterval: 0.2, control: false }),
  )
  const program = await certswapServe(t, ['--config', config], { cwd: dir, env: hooked(poison.path) })
  const bad = authority.issue()
  poison.add(bad.keyPem, 'hangs')
  writePair(dir, bad)
  await program.line('certificates not reloaded; the old ones stay in service')
  assert.equal(await program.stop('SIGTERM'), 0)
})

function hooked(list: string): NodeJS.ProcessEnv {
  return { CERTSWAP_POISONS: list, NODE_OPTIONS: `--require ${POISON_HOOK}` }
}
