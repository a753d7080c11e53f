/* `redisSource` against Debian's Redis server, with both clients. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import type { Delivery, MaterialSource, ReadRequest, SourceErrorCode } from '../../../src/main/index.js'
import {
  publishToRedis,
  type RedisSourceOptions,
  redisSource,
  withdrawFromRedis,
} from '../../../src/main/sources/redis/index.js'
import { arrivals } from '../../../support/base/arrivals.js'
import { eventually } from '../../../support/base/eventually.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { latencyProxy } from '../../../support/servers/latency-proxy.js'
import { REDIS_CLIENTS, startRedis, withoutRedis } from '../../../support/servers/redis.js'

const skip = withoutRedis
const authority = createAuthority()

/** A pair as `publishToRedis` takes it. */
function pair(): { cert: string; key: string } {
  const { chainPem, keyPem } = authority.issue()
  return { cert: chainPem, key: keyPem }
}

for (const [name, createClient] of Object.entries(REDIS_CLIENTS)) {
  /** A source of the identity `web`, closed with its test. */
  const sourceOf = (
    t: TestContext,
    url: string,
    options: Partial<RedisSourceOptions> = {},
  ): MaterialSource => {
    const source = redisSource({ client: createClient(url), identity: 'web', ...options })
    t.after(() => source.close?.())
    return source
  }

  test(`${name}: published material is delivered, byte by byte`, { skip }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const source = sourceOf(t, server.url)
    const leaf = authority.issue()
    const der = leaf.privateKey.export({ format: 'der', type: 'pkcs8' })
    const rsa = authority.issue({ keyType: 'rsa-2048' })
    const published = await publishToRedis(client, 'web', {
      ...{ cert: leaf.certDer, key: der, ca: authority.certPem, crl: authority.crl() },
      alternates: [{ bundle: rsa.keyPem + rsa.chainPem }],
    })
    const delivery = await delivered(source)
    assert.equal(delivery.version, published.version)
    assert.equal(delivery.revision, published.revision)
    const [first, second] = delivery.pairs
    assert.deepEqual(first?.cert, leaf.certDer)
    assert.deepEqual(first?.key, der)
    assert.equal(String(second?.bundle), rsa.keyPem + rsa.chainPem)
    assert.equal(String(delivery.ca?.[0]), authority.certPem)
    assert.equal(delivery.crl?.length, 1)
    assert.equal(await source.read(request({ version: published.version })), 'unchanged')
  })

  test(`${name}: each publication is a push, and another identity's is not`, { skip }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const pushes = watched(sourceOf(t, server.url))
    assert.equal(await pushes.next(), undefined, 'after the connection')
    await publishToRedis(client, 'other', pair())
    await publishToRedis(client, 'web', pair())
    await pushes.next()
    assert.equal(pushes.waiting, 0)
  })

  test(`${name}: a push that was sent during an outage arrives after it, for hosts too`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t, { durable: true })
    const client = createClient(server.url)
    await publishToRedis(client, 'web', pair())
    const pushes = watched(sourceOf(t, server.url, { hosts: true }))
    await pushes.next()
    await publishToRedis(client, { host: 'a.example' }, pair())
    assert.equal(await pushes.next(), 'a.example')
    await server.kill()
    await server.start()
    // Before the source has connected again: its first pause is 50 ms.
    server.cli('XADD', 'certswap:changes', '*', 'host', 'b.example')
    const seen = [await pushes.next(), await pushes.next()]
    assert.deepEqual(new Set(seen), new Set(['b.example', undefined]))
  })

  test(`${name}: a server that was restarted empty is unreachable, and withdraws nothing`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const source = sourceOf(t, server.url, { hosts: true })
    const { version } = await publishToRedis(client, 'web', pair())
    await publishToRedis(client, { host: 'a.example' }, pair())
    await delivered(source)
    await server.kill()
    await refuses(source.read(request({ version })), 'SOURCE_UNREACHABLE', /ECONNREFUSED|closed/)
    await server.start()
    await refuses(source.read(request({ version })), 'SOURCE_UNREACHABLE', /is empty.*certswap:store/)
    await refuses(readHost(source, 'a.example', 'v'), 'SOURCE_UNREACHABLE', /is empty/)
    await refuses(readHost(source, 'cold.example', null), 'SOURCE_UNREACHABLE', /is empty/)
    await publishToRedis(client, 'other', pair())
    await refuses(source.read(request({ version })), 'SOURCE_INVALID', /no key certswap:identity:web/)
    await refuses(readHost(source, 'a.example', 'v'), 'SOURCE_INVALID', /no key certswap:host:a.example/)
    await publishToRedis(client, 'web', pair())
    await delivered(source)
  })

  test(`${name}: a withdrawal is explicit, and an older one on a replica that lags is refused`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const source = sourceOf(t, server.url, { hosts: true })
    await publishToRedis(client, 'web', pair())
    await withdrawFromRedis(client, 'web')
    await refuses(source.read(request()), 'SOURCE_WITHDRAWN', /web was withdrawn/)
    const { revision } = await publishToRedis(client, 'web', pair())
    await delivered(source)
    server.cli('DEL', 'certswap:identity:web')
    server.cli(
      'HSET',
      'certswap:identity:web',
      'withdrawn',
      '1',
      'version',
      'x',
      'revision',
      String(revision - 1n),
    )
    await refuses(source.read(request()), 'SOURCE_UNREACHABLE', /identity web that is older/)
    const host = await publishToRedis(client, { host: 'a.example' }, pair())
    assert.ok(typeof (await readHost(source, 'a.example', null)) === 'object')
    const older = ['version', 'x', 'revision', String(host.revision - 1n)]
    server.cli('DEL', 'certswap:host:a.example')
    server.cli('HSET', 'certswap:host:a.example', 'withdrawn', '1', ...older)
    for (const version of [host.version, null])
      await refuses(
        readHost(source, 'a.example', version),
        'SOURCE_UNREACHABLE',
        /host a.example that is older/,
      )
    await withdrawFromRedis(client, { host: 'a.example' })
    assert.equal(await readHost(source, 'a.example', host.version), 'none')
  })

  test(`${name}: a host that was delivered is not none because its hash is missing, unless it was withdrawn`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const source = sourceOf(t, server.url, { hosts: true })
    await publishToRedis(client, { host: 'a.example' }, pair())
    await readHost(source, 'a.example', null)
    server.cli('DEL', 'certswap:host:a.example')
    // As after a change of the policy, when the engine needs the host again.
    await refuses(readHost(source, 'a.example', null), 'SOURCE_INVALID', /no key certswap:host:a.example/)
    await withdrawFromRedis(client, { host: 'a.example' })
    assert.equal(await readHost(source, 'a.example', null), 'none')
    server.cli('DEL', 'certswap:host:a.example')
    assert.equal(await readHost(source, 'a.example', null), 'none')
  })

  test(`${name}: a host is read by its name, and a cold name that does not exist is none`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const source = sourceOf(t, server.url, { hosts: true })
    const material = pair()
    const { version, revision } = await publishToRedis(client, { host: 'a.example' }, material)
    const host = await readHost(source, 'a.example', null)
    assert.ok(typeof host === 'object')
    assert.deepEqual(
      { ...host, cert: String(host.cert), key: String(host.key) },
      { ...material, version, revision },
    )
    assert.equal(await readHost(source, 'a.example', version), 'unchanged')
    assert.equal(await readHost(source, 'b.example', null), 'none')
  })

  test(`${name}: a wrong password, a missing one and a missing permission are denied`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t, { password: 'sesame-open-now' })
    server.cli('ACL', 'SETUSER', 'blind', 'on', '>blind-password', '+@all', '~other:*')
    const urls = {
      wrong: server.url.replace('sesame', 'wrong'),
      none: `redis://127.0.0.1:${server.port}`,
      permission: `redis://blind:blind-password@127.0.0.1:${server.port}`,
    }
    for (const url of Object.values(urls)) {
      const error = await refuses(sourceOf(t, url).read(request()), 'SOURCE_DENIED', /Redis answered/)
      assert.doesNotMatch(error, /sesame|password-|blind-password/)
    }
  })

  test(`${name}: a server that stops answering costs one time limit, and is used again later`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const source = sourceOf(t, server.url)
    await publishToRedis(createClient(server.url), 'web', pair())
    await delivered(source)
    server.signal('SIGSTOP')
    t.after(() => server.signal('SIGCONT'))
    await refuses(source.read(request({ limitMs: 200 })), 'SOURCE_TIMEOUT', /in time/)
    await refuses(source.read(request({ limitMs: 200 })), 'SOURCE_TIMEOUT', /in time/)
    server.signal('SIGCONT')
    await delivered(source)
  })

  test(`${name}: a server that hangs does not hold up the end of the process`, { skip }, async (t) => {
    const server = await startRedis(t)
    await publishToRedis(createClient(server.url), 'web', pair())
    const source = redisSource({ client: createClient(server.url), identity: 'web' })
    const pushes = watched(source)
    await pushes.next()
    const { version } = await delivered(source)
    server.signal('SIGSTOP')
    t.after(() => server.signal('SIGCONT'))
    source.report?.({ version, host: null, outcome: 'served', generation: 1, at: '', problems: [] })
    const since = performance.now()
    await source.close?.()
    // One second, and the rest for a machine that runs other tests at the same time.
    assert.ok(performance.now() - since < 4_000)
  })

  test(`${name}: a slow connection delivers`, { skip }, async (t) => {
    const server = await startRedis(t)
    const port = await latencyProxy(t, server.port, 100)
    const source = sourceOf(t, `redis://127.0.0.1:${port}`)
    await publishToRedis(createClient(server.url), 'web', pair())
    await delivered(source)
  })

  test(`${name}: a replica without its master is unreachable, and after a failover the source reads it`, {
    skip,
  }, async (t) => {
    const master = await startRedis(t)
    const replica = await startRedis(t, { args: ['--replica-serve-stale-data', 'no'] })
    const client = createClient(master.url)
    const { version } = await publishToRedis(client, 'web', pair())
    replica.cli('REPLICAOF', '127.0.0.1', String(master.port))
    const source = sourceOf(t, replica.url)
    const pushes = watched(source)
    await pushes.next()
    assert.equal((await delivered(source)).version, version)
    await master.kill()
    await eventually('the replica has lost its master', () =>
      replica.cli('INFO', 'replication').includes('master_link_status:down'),
    )
    await refuses(source.read(request({ version })), 'SOURCE_UNREACHABLE', /MASTERDOWN/)
    replica.cli('REPLICAOF', 'NO', 'ONE')
    assert.equal(await source.read(request({ version })), 'unchanged')
    const next = await publishToRedis(createClient(replica.url), 'web', pair())
    assert.equal((await delivered(source)).version, next.version)
    assert.ok(next.revision > 0n)
  })

  test(`${name}: after the stream was trimmed, deleted or set back, later pushes still arrive`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    await publishToRedis(client, 'web', pair())
    const pushes = watched(sourceOf(t, server.url))
    await pushes.next()
    server.cli('XTRIM', 'certswap:changes', 'MAXLEN', '0')
    await publishToRedis(client, 'web', pair())
    await pushes.next()
    // The stream of a replica whose clock is an hour late.
    server.cli('DEL', 'certswap:changes')
    server.cli('XADD', 'certswap:changes', '1000-1', 'identity', 'other')
    server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await pushes.next()
    server.cli('XADD', 'certswap:changes', '1000-2', 'identity', 'web')
    await pushes.next()
  })

  test(`${name}: a host whose refused version is withdrawn or replaced by the served one leaves the report`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    const source = sourceOf(t, server.url, { hosts: true, replica: 'one' })
    watched(source)
    const refusal = (host: string) =>
      source.report?.({ version: '2', host, outcome: 'refused', generation: 1, at: '', problems: [] })
    const isReported = (host: string) => server.cli('GET', 'certswap:report:web:one').includes(host)
    const { version } = await publishToRedis(client, { host: 'a.example' }, pair())
    await publishToRedis(client, { host: 'b.example' }, pair())
    for (const host of ['a.example', 'b.example']) {
      refusal(host)
      await eventually('the refusal is reported', () => isReported(host))
    }
    assert.equal(await readHost(source, 'a.example', version), 'unchanged')
    await eventually('the host in service is not reported', () => !isReported('a.example'))
    await withdrawFromRedis(client, { host: 'b.example' })
    assert.equal(await readHost(source, 'b.example', null), 'none')
    await eventually('the withdrawn host is not reported', () => !isReported('b.example'))
  })

  test(`${name}: a source that is read and not watched writes no report, and removes none`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const key = 'certswap:report:web:one'
    server.cli('SET', key, 'report of a server')
    const source = sourceOf(t, server.url, { replica: 'one' })
    await publishToRedis(createClient(server.url), 'other', pair())
    await refuses(source.read(request()), 'SOURCE_INVALID', /no key/)
    await source.close?.()
    assert.equal(server.cli('GET', key), 'report of a server')
  })

  test(`${name}: an entry of another program in the stream is passed over`, { skip }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    await publishToRedis(client, 'web', pair())
    const foreign = Array.from({ length: 200 }, (_, i) => `x${i}`)
    server.cli('XADD', 'certswap:changes', '*', ...foreign)
    const pushes = watched(sourceOf(t, server.url))
    await pushes.next()
    server.cli('XADD', 'certswap:changes', '*', ...foreign)
    server.cli('XADD', 'certswap:changes', '*', 'note', 'x')
    await publishToRedis(client, 'web', pair())
    await pushes.next()
  })

  test(`${name}: the user's client stays closed and usable, and closing the source ends its connections`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const client = createClient(server.url)
    await publishToRedis(client, 'web', pair())
    const source = redisSource({ client, identity: 'web' })
    const pushes = watched(source)
    await pushes.next()
    await delivered(source)
    assert.equal(connections(server.cli('CLIENT', 'LIST')), 2)
    await source.close?.()
    await eventually('no connection is left', () => connections(server.cli('CLIENT', 'LIST')) === 0)
    assert.equal(server.cli('KEYS', 'certswap:report:*'), '')
    await (client as unknown as { connect(): Promise<unknown> }).connect()
    const { destroy, disconnect } = client as unknown as Record<string, () => void>
    ;(destroy ?? disconnect)?.call(client)
  })
}

/** Connections other than that of `redis-cli` itself. */
function connections(list: string): number {
  return list.split('\n').length - 1
}

function watched(source: MaterialSource) {
  const pushes = arrivals<string | undefined>()
  source.watch?.((name) => pushes.put(name))
  return pushes
}

function request({
  version = null,
  limitMs = 20_000,
}: {
  version?: string | null
  limitMs?: number
} = {}): ReadRequest {
  return { version, signal: AbortSignal.timeout(limitMs) }
}

async function delivered(source: MaterialSource): Promise<Delivery> {
  const found = await source.read(request())
  assert.ok(found !== 'unchanged')
  return found
}

function readHost(source: MaterialSource, name: string, version: string | null) {
  assert.ok(source.readHost)
  return source.readHost({ name, ...request({ version }) })
}

/** Asserts a refusal; returns its message. */
async function refuses(act: Promise<unknown>, code: SourceErrorCode, message: RegExp): Promise<string> {
  let text = ''
  await assert.rejects(act, (error: Error & { code: string }) => {
    text = error.message
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.equal(error.cause, undefined)
    return true
  })
  return text
}
