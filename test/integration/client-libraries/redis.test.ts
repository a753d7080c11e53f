/*
 * redis (node-redis), with Redis. It copies its options once, so each generation gets a client of its own. Redis does not
 * report the serial of a client certificate, so the serials are those of the local certificates of the sockets.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import tls, { type TLSSocket } from 'node:tls'

import { createClient } from 'redis'

import type { ReloadEngine } from '../../../src/main/index.js'
import type { LibraryConnection } from '../../../support/clients/client-library.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { localCertificate } from '../../../support/clients/local-certificate.js'
import { withoutRedis } from '../../../support/servers/redis.js'
import { startRedisWithTls } from '../../../support/servers/redis-with-tls.js'

const library = { name: 'redis', without: withoutRedis, startServer: startRedisWithTls }

proveLibrary({
  ...library,
  async open(engine, port) {
    let client = openClient(engine, port)
    engine.on('applied', () => {
      const former = client
      client = openClient(engine, port)
      client.connected.then(
        () => former.close(),
        () => {},
      )
    })
    return {
      query: () => client.query(),
      async connect() {
        const held = openClient(engine, port, false)
        await held.connected
        return held
      },
      // Done with each generation.
      retire() {},
      close: async () => client.close(),
    }
  },
})

proveExample({
  ...library,
  start: (port) => ({ args: [`rediss://localhost:${port}`] }),
  answer: /^PONG$/,
})

interface Client extends LibraryConnection {
  readonly connected: Promise<unknown>
}

/** The client does not show its socket. */
const opening = new AsyncLocalStorage<{ socket: TLSSocket | null }>()
const { connect } = tls
tls.connect = ((options: tls.ConnectionOptions) => {
  const socket = connect(options)
  const owner = opening.getStore()
  if (owner) owner.socket = socket
  return socket
}) as typeof connect

function openClient(engine: ReloadEngine, port: number, reconnect = true): Client {
  const owner: { socket: TLSSocket | null } = { socket: null }
  const strategy = reconnect ? {} : { reconnectStrategy: false as const }
  const client = createClient({
    socket: { host: 'localhost', port, tls: true, ...engine.clientOptions(), ...strategy },
  })
  client.on('error', () => {})
  return {
    connected: opening.run(owner, () => client.connect()),
    async query() {
      await client.ping()
      return localCertificate(owner.socket as TLSSocket)
    },
    close: () => client.close(),
  }
}
