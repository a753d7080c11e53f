/* Not with the other type tests, which compile without the clients of Redis. */

import { Redis } from 'ioredis'
import { createClient } from 'redis'

import { createReloadEngine } from '../../../../src/main/index.js'
import { publishToRedis, type RedisClient, redisSource } from '../../../../src/main/sources/redis/index.js'

/** Clients of both packages are accepted as they are. */
export async function acceptedClients(): Promise<void> {
  const clients: RedisClient[] = [createClient({ url: 'redis://localhost' }), new Redis()]
  for (const client of clients) {
    await createReloadEngine({ source: redisSource({ client, identity: 'web', hosts: true }) })
    const { revision } = await publishToRedis(client, { host: 'a.example' }, { bundle: Buffer.alloc(1) })
    void revision.toString()
  }
  // @ts-expect-error an array of commands is no client
  redisSource({ client: ['GET', 'key'], identity: 'web' })
  // @ts-expect-error a certificate without its key
  await publishToRedis(createClient(), 'web', { cert: 'PEM' })
}
