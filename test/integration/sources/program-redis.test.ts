/* `certswap serve` and `certswap check` with a Redis server as the source. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { createClient } from 'redis'

import type { RedisClient } from '../../../src/main/sources/redis/index.js'
import { publishToRedis } from '../../../src/main/sources/redis/index.js'
import { eventually } from '../../../support/base/eventually.js'
import { servedBy } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { request } from '../../../support/servers/control.js'
import { type RedisServer, startRedis, withoutRedis } from '../../../support/servers/redis.js'

const authority = createAuthority()
const PASSWORD = 'correct-horse-battery-staple'
const redis = { skip: withoutRedis }

test(
  'serve takes its certificate from Redis with a password file, and a renewal there reaches clients at once',
  redis,
  async (t) => {
    const { server, cwd, publish } = await store(t)
    const first = await publish()
    writeFileSync(join(cwd, 'password'), `${PASSWORD}\n`)
    const source = ['--source', `redis://127.0.0.1:${server.port}`, '--source-password-file', 'password']
    const args = [...source, '--source-identity', 'web', '--auto-reload-interval', '0']
    const { port, lines } = await certswapServe(t, args, { cwd })
    assert.equal(await servedBy(port), first.fingerprint256)
    const second = await publish()
    await eventually('the renewal is served', async () => (await servedBy(port)) === second.fingerprint256)
    const { stdout } = await certswap(['status'], { cwd })
    assert.match(stdout, /^generation +2, by source /m)
    assert.match(stdout, /^source +redis, version /m)
    assert.ok(!`${stdout}${JSON.stringify(lines)}`.includes(PASSWORD))
  },
)

test('a new password in the password file is used for the next connection', redis, async (t) => {
  const { server, cwd, publish } = await store(t)
  await publish()
  const file = join(cwd, 'password')
  writeFileSync(file, PASSWORD)
  const source = ['--source', `redis://127.0.0.1:${server.port}`, '--source-password-file', file]
  const args = [...source, '--source-identity', 'web', '--auto-reload-interval', '0']
  const { port } = await certswapServe(t, args, { cwd })
  const renewed = 'another-horse-battery-staple'
  writeFileSync(file, renewed)
  server.cli('CONFIG', 'SET', 'requirepass', renewed)
  const { fingerprint256 } = await publish(renewed)
  server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no')
  await eventually('the renewal is served', async () => (await servedBy(port)) === fingerprint256)
})

test('a password in the URL works, and is in no log line, status, metric or answer', redis, async (t) => {
  const { server, cwd, publish } = await store(t)
  const { fingerprint256 } = await publish()
  const args = ['--source', server.url, '--source-identity', 'web', '--auto-reload-interval', '0.1']
  const { port, lines, line, control } = await certswapServe(t, [...args, '--log-level', 'trace'], { cwd })
  assert.equal(await servedBy(port), fingerprint256)
  assert.match((await line(SHOWN)).msg, /--source-password-file/)
  await server.kill()
  await line('certificates not reloaded; the old ones stay in service')
  const check = ['check', ...args.slice(0, 4)]
  const commands = [['status'], ['status', '--json'], ['reload'], ['reload', '--json'], check]
  const results = await Promise.all(commands.map((command) => certswap(command, { cwd })))
  const answers = ['/metrics', '/status', '/history'].map(
    async (path) => (await request(control as string, path)).text,
  )
  const outputs = [
    ...results.flatMap(({ stdout, stderr }) => [stdout, stderr]),
    ...(await Promise.all(answers)),
  ]
  assert.ok(outputs.some((output) => output.includes('SOURCE_UNREACHABLE')))
  assert.ok(!`${outputs.join('\n')}${JSON.stringify(lines)}`.includes(PASSWORD))
})

test(
  'a check with a wrong password, or an unreadable password file, exits with 1 and SOURCE_DENIED',
  redis,
  async (t) => {
    const { server, cwd, publish } = await store(t)
    await publish()
    const check = (...more: string[]) => {
      const source = ['--source', `redis://127.0.0.1:${server.port}`, '--source-identity', 'web']
      return certswap(['check', ...source, ...more], { cwd })
    }
    writeFileSync(join(cwd, 'wrong'), 'wrong-horse')
    const wrong = await check('--source-password-file', 'wrong')
    assert.equal(wrong.code, 1)
    assert.match(wrong.stdout, /SOURCE_DENIED: source redis: Redis answered WRONGPASS/)
    const missing = await check('--source-password-file', 'missing')
    assert.equal(missing.code, 1)
    assert.match(missing.stdout, /SOURCE_DENIED: source redis: passwordFile: missing cannot be read: ENOENT/)
  },
)

test('hosts on demand are requested from Redis', redis, async (t) => {
  const { server, cwd, publish, client } = await store(t)
  await publish()
  const host = authority.issue({ names: ['a.shop.example'] })
  await publishToRedis(client(), { host: 'a.shop.example' }, { cert: host.chainPem, key: host.keyPem })
  const args = ['--source', server.url, '--source-identity', 'web', '--hosts-on-demand']
  const { port } = await certswapServe(t, [...args, '--allow', '*.shop.example'], { cwd })
  assert.equal(await servedBy(port, { servername: 'a.shop.example' }), host.fingerprint256)
})

const SHOWN =
  'the list of processes shows the password in --source to other users; use --source-password-file instead'

interface Store {
  readonly server: RedisServer
  readonly cwd: string
  client(password?: string): RedisClient
  /** Publishes a new leaf as the identity `web`. */
  publish(password?: string): Promise<Leaf>
}

/** A server with a password. */
async function store(t: TestContext): Promise<Store> {
  const server = await startRedis(t, { password: PASSWORD })
  const client = (password: string = PASSWORD) =>
    createClient({ url: `redis://:${password}@127.0.0.1:${server.port}` }) as unknown as RedisClient
  return {
    server,
    cwd: tempDir(t),
    client,
    async publish(password) {
      const leaf = authority.issue()
      await publishToRedis(client(password), 'web', { cert: leaf.chainPem, key: leaf.keyPem })
      return leaf
    },
  }
}
