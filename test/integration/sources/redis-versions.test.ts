/* The oldest supported versions of both clients; the other tests use the newest. */

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'

import type { ReadRequest } from '../../../src/main/index.js'
import { publishToRedis, type RedisClient, redisSource } from '../../../src/main/sources/redis/index.js'
import { arrivals } from '../../../support/base/arrivals.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { programsFolder, without } from '../../../support/processes/programs.js'
import { startRedis, withoutRedis } from '../../../support/servers/redis.js'

const skip = withoutRedis || without('redis-5', 'ioredis-5')
const load = createRequire(join(programsFolder, 'any.js'))

interface Emitter extends RedisClient {
  on(event: 'error', listener: () => void): this
}

const clients: Record<string, (url: string) => Emitter> = {
  'redis 5': (url) => load('redis-5').createClient({ url }),
  'ioredis 5': (url) => new (load('ioredis-5').Redis)(url, { lazyConnect: true }),
}
for (const [name, createClient] of Object.entries(clients)) {
  test(`${name}: delivers, pushes, names a wrong password, and recovers from the death of the server`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t, { durable: true, password: 'sesame-open-now' })
    const connectTo = (url: string) => createClient(url).on('error', () => {})
    const client = connectTo(server.url)
    const stranger = connectTo(server.url.replace('sesame', 'wrong'))
    const source = redisSource({ client, identity: 'web' })
    t.after(() => source.close?.())
    const denied = redisSource({ client: stranger, identity: 'web' })
    t.after(() => denied.close?.())
    const pushes = arrivals<void>()
    source.watch?.(() => pushes.put())
    await pushes.next()
    const publish = () => publishToRedis(client, 'web', pair())
    const first = await publish()
    await pushes.next()
    const delivery = await source.read(request())
    assert.ok(delivery !== 'unchanged')
    assert.deepEqual([delivery.version, delivery.revision], [first.version, first.revision])
    assert.equal(await source.read(request(first.version)), 'unchanged')
    await assert.rejects(denied.read(request()), { code: 'SOURCE_DENIED' })
    await server.kill()
    await assert.rejects(source.read(request()), { code: 'SOURCE_UNREACHABLE' })
    await server.start()
    await pushes.next()
    assert.equal(await source.read(request(first.version)), 'unchanged')
  })
}

function request(version: string | null = null): ReadRequest {
  return { version, signal: AbortSignal.timeout(20_000) }
}

function pair() {
  const { chainPem, keyPem } = createAuthority().issue()
  return { cert: chainPem, key: keyPem }
}
