/* Keys that come from Redis do not stay in memory, and appear in no error. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'

import { publishToRedis } from '../../../src/main/sources/redis/index.js'
import { createRedisSource } from '../../../src/main/sources/redis/source.js'
import { fakeClock } from '../../../support/base/fake-clock.js'
import { SecretSearch } from '../../../support/base/secrets.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { REDIS_CLIENTS, startRedis, withoutRedis } from '../../../support/servers/redis.js'

const skip = withoutRedis
const leaf = createAuthority().issue()

for (const [name, createClient] of Object.entries(REDIS_CLIENTS)) {
  test(`${name}: a delivered key is overwritten after a minute, or when the source is closed`, {
    skip,
  }, async (t) => {
    const server = await startRedis(t)
    const clock = fakeClock()
    const source = createRedisSource({ client: createClient(server.url), identity: 'web' }, clock)
    t.after(() => source.close?.())
    await publishToRedis(createClient(server.url), 'web', { cert: leaf.chainPem, key: leaf.keyPem })
    const key = async () => {
      const delivery = await source.read({ version: null, signal: AbortSignal.timeout(20_000) })
      assert.ok(delivery !== 'unchanged')
      return delivery.pairs[0]?.key as Buffer
    }
    const [first, second] = [await key(), await key()]
    assert.equal(String(first), leaf.keyPem)
    await clock.advance(60_000)
    for (const one of [first, second]) assert.ok(one.every((byte) => byte === 0))
    const third = await key()
    await source.close?.()
    assert.ok(third.every((byte) => byte === 0))
  })

  test(`${name}: a server that does not know the command repeats its arguments, and the error does not`, {
    skip,
  }, async (t) => {
    const search = new SecretSearch()
    search.addKey(leaf.privateKey)
    search.add('certificate', leaf.certDer)
    const server = await startRedis(t, { args: ['--rename-command', 'HSET', ''] })
    await assert.rejects(
      publishToRedis(createClient(server.url), 'web', { cert: leaf.chainPem, key: leaf.keyPem }),
      (error: Error) => {
        assert.match(error.message, /Redis answered ERR/)
        assert.equal(search.findIn(inspect(error, { depth: 9, showHidden: true })), undefined)
        return true
      },
    )
  })
}
