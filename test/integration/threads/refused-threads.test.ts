/*
 * If no worker thread can be started, the caller gets the reason and the action, and nothing is left behind: no thread, no
 * timer, no error that ends the process later.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { couldNotStart } from '../../../src/main/threads/task-error.js'
import { documentedMessages } from '../../../support/docs/documented-errors.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { selfSigned } from '../../../support/material/certificates.js'

const ENTRY = new URL('../../../src/main/index.js', import.meta.url).href
const PROJECT = fileURLToPath(new URL('../../../..', import.meta.url))
const PERMISSION = process.versions.node.startsWith('20.') ? '--experimental-permission' : '--permission'

const isLinux = process.platform === 'linux'
const withoutLimits =
  isLinux && !spawnSync('prlimit', ['--version']).error ? false : 'needs Linux and prlimit (util-linux)'

test('under --permission without --allow-worker, the start is refused with the flag that is missing', async (t) => {
  const { code, stdout } = await run(t, REFUSED, [PERMISSION, `--allow-fs-read=${PROJECT}/*`])
  assert.match(stdout, /^WORKER_UNAVAILABLE .*--allow-worker/)
  assert.deepEqual([stdout.split('\n').slice(1), code], [['goes on', 'exit 0', ''], 0])
})

test("Node's permission model does not apply to the worker: it reads files that the main thread may not", async (t) => {
  const script = `
    import { readFileSync } from 'node:fs'
    try { readFileSync(process.env.CERT) } catch (error) { console.log(error.code) }
    const engine = await api.createReloadEngine(options)
    console.log(engine.status().state)
    await engine.close()`
  const { stdout } = await run(t, script, [PERMISSION, '--allow-worker', `--allow-fs-read=${PROJECT}/*`])
  assert.equal(stdout, 'ERR_ACCESS_DENIED\nserving\nexit 0\n')
})

const needsRoot =
  withoutLimits ||
  (process.geteuid?.() === 0 ? false : 'needs root, to become a user with a limit of threads')

test('at the limit of threads, the start is refused with EAGAIN and the limits to raise', {
  skip: needsRoot,
}, async (t) => {
  const limited = `
    import { execFileSync } from 'node:child_process'
    import { randomBytes } from 'node:crypto'
    // libuv's own threads, without which Node ends.
    await new Promise((resolve) => randomBytes(1, resolve))
    execFileSync('prlimit', ['--nproc=1', '--pid', String(process.pid)])
    process.setgid(65534)
    process.setuid(65534)
    ${REFUSED}`
  const { code, stdout } = await run(t, limited)
  assert.match(stdout, /^WORKER_UNAVAILABLE .*EAGAIN.*ulimit -u/)
  assert.deepEqual([stdout.split('\n').slice(1), code], [['goes on', 'exit 0', ''], 0])
})

/** The script takes all but this many descriptors; `giveBack()` closes them. */
const takeFiles = (left: number) => `
  const fds = []
  const takeFiles = () => {
    for (;;) try { fds.push(openSync('/dev/null')) } catch { break }
    for (const fd of fds.splice(0, ${left})) closeSync(fd)
  }
  const giveBack = () => { for (const fd of fds.splice(0)) closeSync(fd) }
  execFileSync('prlimit', ['--nofile=160:160', '--pid', String(process.pid)])`

const FILES = `
  import { execFileSync } from 'node:child_process'
  import { closeSync, openSync } from 'node:fs'`

test('without file descriptors the start is refused with EMFILE, and a start with some succeeds', {
  skip: withoutLimits,
}, async (t) => {
  for (const left of [0, 4]) {
    const script = `${FILES}${takeFiles(left)}
      takeFiles()
      ${REFUSED_SCRIPT}
      giveBack()
      const engine = await api.createReloadEngine(options)
      console.log(engine.status().state)
      await engine.close()`
    const { code, stdout } = await run(t, script)
    assert.match(stdout, /^WORKER_UNAVAILABLE .*EMFILE.*ulimit -n/)
    assert.deepEqual([stdout.split('\n').slice(1), code], [['serving', 'exit 0', ''], 0])
  }
})

test('if the thread of a reload cannot be started, the old certificate stays in service, the reason is in the result, and the next reload works', {
  skip: withoutLimits,
}, async (t) => {
  const script = `${FILES}
    import { setTimeout as sleep } from 'node:timers/promises'
    ${takeFiles(0)}
    const engine = await api.createReloadEngine({ ...options, worker: { idleTimeoutMs: 1 } })
    const { fingerprint256 } = engine.status().generation.certificates[0]
    await sleep(200)
    takeFiles()
    const { outcome, problems } = await engine.reload()
    console.log(outcome, problems[0].code, problems[0].message)
    giveBack()
    console.log((await engine.reload()).outcome)
    await engine.close()`
  const { code, stdout } = await run(t, script)
  assert.match(stdout, /^rejected WORKER_UNAVAILABLE .*EMFILE/)
  assert.deepEqual([stdout.split('\n').slice(1), code], [['unchanged', 'exit 0', ''], 0])
})

test('a start that is refused because of its options or its files leaves nothing that keeps the process running', async (t) => {
  const script = `
    for (const wrong of [{ nonsense: true }, { key: options.cert }, { cert: '/nowhere' }]) {
      await api.createReloadEngine({ ...options, ...wrong }).catch(({ code }) => console.log(code))
    }`
  const { code, stdout } = await run(t, script)
  assert.equal(stdout, 'OPTIONS_INVALID\nKEY_MISSING\nFILE_NOT_FOUND\nexit 0\n')
  assert.equal(code, 0)
})

test('docs/errors.md shows each reason for which a thread is refused, with its exact message', () => {
  const init = (system: string) => Object.assign(new Error(system), { code: 'ERR_WORKER_INIT_FAILED' })
  const coded = (code: string) => Object.assign(new Error('any'), { code })
  const reasons = [coded('ERR_ACCESS_DENIED'), init('EAGAIN'), init('EMFILE'), init('ENOMEM')]
  const noDirectory = Object.assign(new Error('any'), { syscall: 'uv_cwd' })
  const come = [...reasons, noDirectory, coded('ERR_MODULE_NOT_FOUND')].map(couldNotStart)
  const shown = documentedMessages().filter(({ message }) =>
    message.includes('worker thread could not start'),
  )
  assert.deepEqual(
    come.map(({ code, message }) => ({ code, message })),
    shown,
  )
})

const REFUSED_SCRIPT =
  'await api.createReloadEngine(options).catch(({ code, message }) => console.log(code, message))'

const REFUSED = `
  ${REFUSED_SCRIPT}
  setTimeout(() => console.log('goes on'), 50)`

/** Runs a module with the public API as `api`, and valid options. */
async function run(
  t: TestContext,
  script: string,
  flags: readonly string[] = [],
): Promise<{ code: number | null; stdout: string }> {
  const dir = tempDir(t)
  const { cert, key } = writePair(dir, selfSigned())
  const path = join(dir, 'script.mjs')
  const source = `
    import * as api from ${JSON.stringify(ENTRY)}
    process.on('exit', (code) => console.log('exit', code))
    const none = () => {}
    const logger = { debug: none, info: none, warn: none, error: none }
    const options = { cert: process.env.CERT, key: process.env.KEY, logger }
    ${script}`
  writeFileSync(path, source)
  const readsScript = flags.length > 0 ? [`--allow-fs-read=${path}`] : []
  const child = spawn(process.execPath, [...flags, ...readsScript, path], {
    env: { ...process.env, CERT: cert, KEY: key },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  t.after(() => child.kill('SIGKILL'))
  const [stdout, [code]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, stdout }
}
