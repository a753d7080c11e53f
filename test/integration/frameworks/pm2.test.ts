/*
 * PM2 with the files of the recipe: a reload in cluster mode loses no request, and `pm2 stop` drains. PM2 runs in a home
 * directory of its own, and its daemon ends with the test.
 */

import assert from 'node:assert/strict'
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { get } from '../../../support/clients/requests.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { exampleSite } from '../../../support/processes/example-site.js'
import { programPath, without } from '../../../support/processes/programs.js'
import { freePort } from '../../../support/servers/free-port.js'

const authority = createAuthority()
const ca = authority.certPem

test('pm2 reload in cluster mode loses no request, and the replaced process has drained', {
  skip: without('pm2') || onFirstNodeOnly,
}, async (t) => {
  const { dir, port, pm2 } = await pm2Site(t)
  await pm2('start', 'ecosystem.config.cjs')
  const bodies: string[] = []
  const errors: unknown[] = []
  let asking = true
  const clients = Array.from({ length: 4 }, async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    const ask = () =>
      get({ port, ca, agent }).then(
        ({ body }) => bodies.push(body),
        (error) => errors.push(error),
      )
    for (; asking; await pause(20)) await ask()
    agent.destroy()
  })
  await pm2('reload', 'app')
  const after = (await get({ port, ca, agent: false })).body
  asking = false
  await Promise.all(clients)
  await pm2('kill')

  assert.deepEqual(errors, [])
  assert.equal(new Set(bodies).size, 2)
  assert.notEqual(after, bodies[0])
  const log = readFileSync(join(dir, 'out.log'), 'utf8')
  assert.equal(log.match(/"msg":"drained"/g)?.length, 2)
  assert.doesNotMatch(log, /"drain forced"/)
})

test('examples/drain/pm2.js sends `ready` when it listens, and drains at the message `shutdown`', {
  skip: onFirstNodeOnly,
}, async (t) => {
  const dir = exampleSite(t, 'drain', [])
  writePair(dir, authority.issue({ names: ['localhost'] }))
  const child = fork(join(dir, 'pm2.js'), {
    env: { ...process.env, TLS_DIR: dir, PORT: '0' },
    execArgv: [],
    silent: true,
  })
  t.after(() => child.kill('SIGKILL'))
  assert.deepEqual(await once(child, 'message'), ['ready', undefined])
  child.send('shutdown')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

type Pm2 = (...args: string[]) => Promise<unknown>

/** The example with one process instead of two, which would take longer and show the same. */
async function pm2Site(t: TestContext): Promise<{ dir: string; port: number; pm2: Pm2 }> {
  const run = promisify(execFile)
  let kill = async (): Promise<unknown> => undefined
  // Registered before the directories, which are removed after the daemon has ended.
  t.after(() => kill())
  const dir = exampleSite(t, 'drain', [])
  writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  const file = join(dir, 'ecosystem.config.cjs')
  const config = readFileSync(file, 'utf8')
  const one = config
    .replace('instances: 2', `instances: 1, out_file: 'out.log', merge_logs: true`)
    .replace('listen_timeout: 30_000', 'listen_timeout: 100_000')
  writeFileSync(file, one)
  const port = await freePort()
  const env = {
    ...process.env,
    PM2_HOME: tempDir(t),
    TLS_DIR: dir,
    PORT: String(port),
    PM2_DISABLE_VERSION_CHECK: 'true',
  }
  const pm2: Pm2 = (...args) => run(process.execPath, [programPath('pm2'), ...args], { cwd: dir, env })
  kill = () => pm2('kill')
  return { dir, port, pm2 }
}
