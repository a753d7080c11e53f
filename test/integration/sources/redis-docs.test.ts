/* The commands and programs of docs/sources/redis.md and docs/sources/fleet.md, with the installed package. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { publishToRedis, redisSource } from '../../../src/main/sources/redis/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { blocksIn, commandsIn } from '../../../support/docs/markdown.js'
import { servedBy } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { installPackage, projectRoot } from '../../../support/processes/installed-package.js'
import { startNode } from '../../../support/processes/process-lines.js'
import { freePort } from '../../../support/servers/free-port.js'
import { REDIS_CLIENTS, startRedis, withoutRedis } from '../../../support/servers/redis.js'

const PAGES = ['redis.md', 'fleet.md'].map((name) => join('docs/sources', name))
const PASSWORD = 'a-password-of-a-replica'
const skip = withoutRedis

test('every command and program of the pages works, in their order', { skip }, async (t) => {
  const server = await startRedis(t)
  const { dir } = installPackage(tempDir(t))
  const env = { ...process.env, REDIS_URL: server.url, REPLICA_PASSWORD: PASSWORD }
  const run = (command: string, code = 0) => {
    const script = command.replace(
      /^npx certswap/,
      `"${process.execPath}" node_modules/certswap/dist/main/cli/bin.js`,
    )
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { cwd: dir, env, encoding: 'utf8' })
    assert.equal(status, code, `${command}: ${stdout}${stderr}`)
    // redis-cli prints errors of the server as answers.
    assert.doesNotMatch(stdout, /^\(?(?:error|ERR|WRONG|NOPERM)/m, command)
    return stdout
  }
  assert.equal(run('npx certswap fleet 2>&1', 2).split('\n')[1], 'certswap: run: npm install redis')
  symlinkSync(join(projectRoot, 'node_modules/redis'), join(dir, 'node_modules/redis'))
  const [redisPage, fleetPage] = PAGES.map(commandsIn) as [string[], string[]]
  const port = await freePort()
  const [app = '', publisher = ''] = blocksIn(PAGES[0] as string)
    .filter(({ language }) => language === 'js')
    .map(({ text }) => text.replaceAll('8444', String(port)))
  writeFileSync(join(dir, 'app.mjs'), app)
  writeFileSync(join(dir, 'publish.mjs'), publisher)
  const fingerprint = () => {
    const args = ['x509', '-in', '.certswap/tls.crt', '-noout', '-fingerprint', '-sha256']
    return execFileSync('openssl', args, { cwd: dir, encoding: 'utf8' }).trim().split('=')[1]
  }

  const rotation = redisPage.findIndex((command) => command.includes('dev rotate'))
  const withdrawal = redisPage.findIndex((command) => command.includes('withdrawn'))
  for (const command of redisPage.slice(0, rotation)) run(command)
  const program = startNode(t, ['app.mjs'], { cwd: dir, env })
  await program.next((line) => line.startsWith('listening'))
  assert.equal(await servedBy(port), fingerprint())
  for (const command of redisPage.slice(rotation, withdrawal)) {
    if (command.includes(' fleet '))
      await eventually('the renewal is served', async () => (await servedBy(port)) === fingerprint())
    run(command)
  }
  for (const command of fleetPage) run(command)
  run('npx certswap dev rotate')
  run(`"${process.execPath}" publish.mjs`)
  await eventually('the publication is served', async () => (await servedBy(port)) === fingerprint())
  for (const command of redisPage.slice(withdrawal)) run(command)
  assert.equal(readFileSync(join(dir, 'wrap.key')).length, 32)
  // An explicit absence: the replica has nothing to read any more.
  await eventually('the withdrawal is reported', () =>
    server
      .cli('GET', `certswap:report:web:${reportOf(server.cli('KEYS', 'certswap:report:*'))}`)
      .includes('SOURCE_WITHDRAWN'),
  )
  await program.stop('SIGTERM')
})

for (const [name, createClient] of Object.entries(REDIS_CLIENTS)) {
  test(`${name}: the documented permissions of a replica are enough, and it can change no material`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    await publishToRedis(createClient(server.url), 'web', pair())
    const command = commandsIn(PAGES[0] as string).find((one) => one.includes('ACL SETUSER'))
    const env = { ...process.env, REDIS_URL: server.url, REPLICA_PASSWORD: PASSWORD }
    execFileSync('sh', ['-c', command as string], { env })
    const url = server.url.replace('//', `//replica:${PASSWORD}@`)
    const source = redisSource({ client: createClient(url), identity: 'web', hosts: true, replica: 'one' })
    t.after(() => source.close?.())
    let pushes = 0
    source.watch?.(() => pushes++)
    await eventually('it watches', () => pushes > 0)
    assert.notEqual(await source.read(request()), 'unchanged')
    assert.equal(await source.readHost?.({ name: 'a.example', ...request() }), 'none')
    await eventually(
      'it reports',
      () => server.cli('KEYS', 'certswap:report:*') === 'certswap:report:web:one',
    )
    await source.close?.()
    assert.equal(server.cli('KEYS', 'certswap:report:*'), '')
    await assert.rejects(publishToRedis(createClient(url), 'web', pair()), { code: 'SOURCE_DENIED' })
  })
}

function request() {
  return { version: null, signal: AbortSignal.timeout(20_000) }
}

function pair() {
  const { chainPem, keyPem } = createAuthority().issue()
  return { cert: chainPem, key: keyPem }
}

/** The name of the replica in the key of its report. */
function reportOf(key: string): string {
  return key.split(':').slice(3).join(':')
}
