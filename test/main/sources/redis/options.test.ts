import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type RedisSourceOptions, redisSource } from '../../../../src/main/sources/redis/index.js'
import { resolveRedisOptions } from '../../../../src/main/sources/redis/options.js'
import { REDIS_CLIENTS } from '../../../../support/servers/redis.js'

const client = REDIS_CLIENTS.redis('redis://127.0.0.1:1')

test('every option has its default, and a replica is named by host and process', () => {
  const { replica, ...rest } = resolveRedisOptions({ client, identity: 'web' })
  assert.deepEqual(
    { ...rest, client: null },
    {
      client: null,
      identity: 'web',
      hosts: false,
      prefix: 'certswap:',
      reportTtlSeconds: 60,
      unwrapKeyFile: null,
    },
  )
  assert.match(replica, new RegExp(`^[!-~]+:${process.pid}$`))
})

const refused: Record<string, object> = {
  'no client': { identity: 'web' },
  'a client of another package': { client: { get() {} }, identity: 'web' },
  'the client of a cluster': {
    client: Object.assign(Object.create(client), { isCluster: true }),
    identity: 'web',
  },
  'no identity': { client },
  'an identity with a space': { client, identity: 'a b' },
  'an identity with a line feed': { client, identity: 'a\nb' },
  'a prefix with a space': { client, identity: 'web', prefix: 'a b' },
  'a lifetime of reports that is too short': { client, identity: 'web', reportTtlSeconds: 1 },
  'an unknown option': { client, identity: 'web', url: 'redis://:secret@localhost' },
}
for (const [what, options] of Object.entries(refused)) {
  test(`${what} is refused at the call, without its value if that may be a secret`, () => {
    assert.throws(
      () => redisSource(options as RedisSourceOptions),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'OPTIONS_INVALID')
        assert.match(error.message, /^redisSource: invalid options: /)
        assert.doesNotMatch(error.message, /secret/)
        return true
      },
    )
  })
}

test('a source reads hosts only if it is asked to, and may then have no identity', async () => {
  assert.equal(redisSource({ client, identity: 'web' }).readHost, undefined)
  const source = redisSource({ client, hosts: true })
  assert.equal(typeof source.readHost, 'function')
  await assert.rejects(source.read({ version: null, signal: AbortSignal.timeout(1000) }), {
    code: 'SOURCE_INVALID',
  })
})
