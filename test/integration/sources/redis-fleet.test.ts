/* Engines that share a Redis server, and the table of what they serve. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import type { ReloadEngine, ReloadEngineOptions } from '../../../src/main/index.js'
import { publishToRedis, redisSource } from '../../../src/main/sources/redis/index.js'
import { waitingReport } from '../../../src/main/sources/redis/replica-report.js'
import { eventually } from '../../../support/base/eventually.js'
import { numbersFrom, seed } from '../../../support/base/long-mode.js'
import { nextEvent, servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'
import { certswap, certswapServe, type ServingProgram } from '../../../support/processes/program.js'
import { REDIS_CLIENTS, type RedisServer, startRedis, withoutRedis } from '../../../support/servers/redis.js'

const skip = withoutRedis
const authority = createAuthority()
const clients = Object.values(REDIS_CLIENTS)

interface Replica {
  readonly engine: ReloadEngine
  /** Versions in the order in which they were served. */
  readonly served: string[]
}

async function startReplica(
  t: TestContext,
  { url }: RedisServer,
  replica: string,
  options: Omit<ReloadEngineOptions, 'source'> = {},
): Promise<Replica> {
  const client = clients[Number(replica.at(-1)) % clients.length]?.(url)
  assert.ok(client)
  const engine = await startEngine(t, {
    ...options,
    source: redisSource({ client, identity: 'web', replica }),
  })
  const served = [engine.status().source?.version ?? '']
  engine.on('applied', () => {
    served.push(engine.status().source?.version ?? '')
  })
  return { engine, served }
}

function publish({ url }: RedisServer, version: string, leaf: Leaf = authority.issue()) {
  const { chainPem, keyPem } = leaf
  const client = REDIS_CLIENTS.redis(url)
  return publishToRedis(client, 'web', { cert: chainPem, key: keyPem, version })
}

const RENEWALS = 200

test('three processes of serve have the newest of 200 renewals after each death of the server, and never an older one', {
  skip,
}, async (t) => {
  const random = numbersFrom(seed)
  t.diagnostic(`CERTSWAP_SEED=${seed}`)
  const server = await startRedis(t, { durable: true })
  const versionOf = new Map<unknown, number>()
  const renew = (version: number) => {
    const leaf = authority.issue()
    versionOf.set(leaf.fingerprint256, version)
    return publish(server, String(version), leaf)
  }
  await renew(0)
  const args = ['--source', server.url, '--source-identity', 'web', '--auto-reload-interval', '0']
  const programs = await Promise.all(
    Array.from({ length: 3 }, () => certswapServe(t, args, { cwd: tempDir(t) })),
  )
  const served = ({ lines }: ServingProgram) =>
    lines
      .filter(({ trigger }) => trigger !== undefined)
      .flatMap(({ fingerprint256 }) => versionOf.get(fingerprint256) ?? [])
  const isAt = (least: number) => programs.every((program) => (served(program).at(-1) ?? -1) >= least)
  const recoveriesMs: number[] = []
  let published = 0
  let up = Promise.resolve()

  /** Ends the server at random, and measures how long the replicas take after its return. */
  const killing = async () => {
    while (published < RENEWALS) {
      await pause(200 + random() * 1_000)
      await server.kill()
      up = pause(random() * 500).then(() => server.start())
      await up
      const newest = published
      const since = performance.now()
      await eventually(`all replicas serve version ${newest}`, () => isAt(newest))
      recoveriesMs.push(performance.now() - since)
    }
  }
  const publishing = async () => {
    for (let version = 1; version <= RENEWALS; version++) {
      for (let isDone = false; !isDone; ) {
        await up
        isDone = await renew(version).then(
          () => true,
          () => false,
        )
      }
      published = version
      await pause(random() * 60)
    }
  }
  await Promise.all([publishing(), killing()])
  await eventually('all replicas serve the last version', () => isAt(RENEWALS))

  for (const program of programs) {
    const versions = served(program)
    assert.ok(versions.length > 1)
    assert.deepEqual(
      versions,
      [...versions].sort((a, b) => a - b),
    )
    assert.equal(versionOf.get(await servedBy(program.port)), RENEWALS)
  }
  const slowest = Math.max(...recoveriesMs)
  t.diagnostic(`${recoveriesMs.length} deaths, slowest recovery ${Math.round(slowest)} ms`)
  assert.ok(recoveriesMs.length >= 3)
  // The promise is 2 s; the rest is for a machine that runs other tests at the same time.
  assert.ok(slowest < 5_000, `${slowest} ms`)
  const { code, stdout } = await fleet(t, server)
  assert.equal(code, 0, stdout)
})

test('a replica that refuses a version is in the table with its reason, and the exit code is 1', {
  skip,
}, async (t) => {
  const server = await startRedis(t)
  await publish(server, 'first')
  const strict = await startReplica(t, server, 'web-0', { policy: { requiredNames: ['localhost'] } })
  const other = await startReplica(t, server, 'web-1')
  await eventually(
    'both have reported',
    () => server.cli('KEYS', 'certswap:report:web:*').split('\n').length === 2,
  )
  const before = await fleet(t, server)
  assert.equal(before.code, 0, before.stdout + before.stderr)
  assert.match(
    before.stdout,
    /^web {2}version first\n {2}web-0 +first .* served\n {2}web-1 +first .* served\n$/,
  )

  const [refused, applied] = [nextEvent(strict.engine, 'rejected'), nextEvent(other.engine, 'applied')]
  await publish(server, 'second', authority.issue({ names: ['other.example'] }))
  await Promise.all([refused, applied])
  await eventually('the refusal is reported', () =>
    server.cli('GET', 'certswap:report:web:web-0').includes('"refused":"second"'),
  )
  const after = await fleet(t, server)
  assert.equal(after.code, 1)
  assert.match(
    after.stdout,
    /web-0 +first .* refused\n {4}refused the newer version second\n {4}NAME_NOT_COVERED: /,
  )
  assert.match(after.stdout, /web-1 +second .* served\n/)
  assert.match(after.stderr, /1 of 2 replicas do not serve the material of the store/)
  for (const line of after.stdout.split('\n')) assert.ok(line.length <= 80, line)
  const { stdout } = await fleet(t, server, '--json', '--identity', 'web')
  const { identities } = JSON.parse(stdout)
  assert.deepEqual(
    identities[0].replicas.map((one: { verdict: string; version: string }) => [one.verdict, one.version]),
    [
      ['refused', 'first'],
      ['served', 'second'],
    ],
  )
})

test('a replica of the server that lags is refused after a failover, until it has the newest material', {
  skip,
}, async (t) => {
  const [master, lagging] = [await startRedis(t), await startRedis(t)]
  await publish(master, 'first')
  lagging.cli('REPLICAOF', '127.0.0.1', String(master.port))
  await eventually('it has a copy', () => lagging.cli('EXISTS', 'certswap:identity:web') === '1')
  lagging.cli('REPLICAOF', 'NO', 'ONE')
  await publish(master, 'second')
  const { engine, served } = await startReplica(t, master, 'web-0')
  const port = await serveEcho(t, engine)
  const before = await servedBy(port)
  // The address now leads to the server that lags.
  const rejected = nextEvent(engine, 'rejected', ({ problems }) => problems[0]?.code === 'SOURCE_OLDER')
  const applied = nextEvent(engine, 'applied')
  master.cli('REPLICAOF', '127.0.0.1', String(lagging.port))
  await rejected
  assert.equal(await servedBy(port), before)
  await publish(lagging, 'third')
  await applied
  assert.deepEqual(served, ['second', 'third'])
})

test('a replica that was killed disappears after its time, and one that was stopped at once', {
  skip,
}, async (t) => {
  const server = await startRedis(t)
  await publish(server, 'first')
  const { engine } = await startReplica(t, server, 'web-0')
  await eventually('it has reported', () => server.cli('EXISTS', 'certswap:report:web:web-0') === '1')
  const ttl = Number(server.cli('TTL', 'certswap:report:web:web-0'))
  assert.ok(ttl > 0 && ttl <= 60, `${ttl}`)
  await engine.close()
  assert.equal(server.cli('EXISTS', 'certswap:report:web:web-0'), '0')
  const { code, stderr } = await fleet(t, server, '--identity', 'web')
  assert.deepEqual([code, stderr.split('\n')[0]], [1, 'certswap: no replica of web has reported'])
})

test('`--identity` shows this identity alone, and not another one whose name begins with it', {
  skip,
}, async (t) => {
  const server = await startRedis(t)
  await publish(server, 'first')
  for (const identity of ['web', 'web:eu']) {
    const report = { ...waitingReport(identity, 'one'), state: 'served', version: 'first' }
    server.cli('SET', `certswap:report:${identity}:one`, JSON.stringify(report))
  }
  const { code, stdout } = await fleet(t, server, '--json', '--identity', 'web')
  assert.equal(code, 0, stdout)
  const { identities } = JSON.parse(stdout)
  assert.deepEqual(
    identities.map(({ name, replicas }: { name: string; replicas: object[] }) => [name, replicas.length]),
    [['web', 1]],
  )
})

test('the table needs a server that answers and lets it in, and never prints the password', {
  skip,
}, async (t) => {
  const server = await startRedis(t, { password: 'sesame-open-now' })
  const cases = [
    { url: server.url.replace('sesame', 'wrong'), code: 3, message: /SOURCE_DENIED/ },
    { url: server.url.replace(/:\d+$/, ':1'), code: 4, message: /SOURCE_UNREACHABLE.*ECONNREFUSED/ },
    { url: 'http://127.0.0.1', code: 2, message: /--redis: expected redis:/ },
  ]
  for (const { url, code, message } of cases) {
    const result = await certswap(['fleet', '--redis', url], { cwd: tempDir(t) })
    assert.equal(result.code, code, result.stderr)
    assert.match(result.stderr, message)
    assert.doesNotMatch(result.stderr + result.stdout, /open-now/)
  }
  const cwd = tempDir(t)
  writeFileSync(join(cwd, 'password'), 'sesame-open-now\n')
  const address = server.url.replace(/\/\/.*@/, '//')
  const withFile = await certswap(['fleet', '--redis', address, '--password-file', 'password'], { cwd })
  assert.deepEqual([withFile.code, withFile.stderr.split('\n')[0]], [1, 'certswap: no replica has reported'])
  const both = await certswap(['fleet', '--redis', server.url, '--password-file', 'password'], { cwd })
  assert.equal(both.code, 2)
  assert.match(both.stderr, /--password-file: expected a URL without a password/)
  server.signal('SIGSTOP')
  t.after(() => server.signal('SIGCONT'))
  const late = await certswap(['fleet', '--redis', server.url, '--timeout', '1'], { cwd: tempDir(t) })
  assert.equal(late.code, 5, late.stderr)
})

function fleet(t: TestContext, { url }: RedisServer, ...args: string[]) {
  return certswap(['fleet', ...args], { cwd: tempDir(t), env: { REDIS_URL: url } })
}
