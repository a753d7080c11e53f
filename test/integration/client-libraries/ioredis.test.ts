/*
 * ioredis, with Redis. Redis does not report the serial of a client certificate, so the serials are those of the local
 * certificates of the sockets.
 */

import type { TLSSocket } from 'node:tls'

import { Redis } from 'ioredis'

import type { Seen } from '../../../support/clients/client-library.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { localCertificate } from '../../../support/clients/local-certificate.js'
import { withoutRedis } from '../../../support/servers/redis.js'
import { startRedisWithTls } from '../../../support/servers/redis-with-tls.js'

const library = { name: 'ioredis', without: withoutRedis, startServer: startRedisWithTls }

proveLibrary({
  ...library,
  async open(engine, port) {
    const options = { host: 'localhost', port, tls: engine.clientOptions() }
    let redis = new Redis(options)
    return {
      query: () => ask(redis),
      async connect() {
        const held = redis.duplicate({ lazyConnect: true, retryStrategy: () => null })
        let reason: unknown
        held.on('error', (error) => {
          reason ??= error
        })
        // It rejects with `Connection is closed`.
        await held.connect().catch((error: unknown) => {
          throw reason ?? error
        })
        return { query: () => ask(held), close: () => void held.quit() }
      },
      retire() {
        const former = redis
        redis = new Redis(options)
        void former.quit()
      },
      async close() {
        await redis.quit()
      },
    }
  },
})

proveExample({
  ...library,
  start: (port) => ({ args: [`rediss://localhost:${port}`] }),
  answer: /^PONG$/,
})

async function ask(redis: Redis): Promise<Seen> {
  await redis.ping()
  return localCertificate(redis.stream as TLSSocket)
}
