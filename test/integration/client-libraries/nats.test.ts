/* @nats-io/transport-node, with NATS. The names of the certificates are their serials; the server reports the names. */

import { connect, type NatsConnection } from '@nats-io/transport-node'

import type { LibraryConnection } from '../../../support/clients/client-library.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { type NatsServer, startNats, withoutNats } from '../../../support/servers/nats.js'

let server: NatsServer

proveLibrary({
  name: 'nats',
  without: withoutNats,
  serialAsName: true,
  startServer: async (t, material) => {
    server = await startNats(t, material)
    return server
  },
  async open(engine, port) {
    // Its types do not know `secureContext`.
    const options = { servers: `localhost:${port}`, tls: engine.clientOptions() as object }
    let connection = openConnection(options)
    return {
      query: async () => (await connection).query(),
      connect: () => openConnection({ ...options, reconnect: false }),
      retire() {
        const former = connection
        connection = openConnection(options)
        void former.then(({ close }) => close())
      },
      close: async () => (await connection).close(),
    }
  },
})

proveExample({
  name: 'nats',
  without: withoutNats,
  startServer: startNats,
  start: (port) => ({ args: [`localhost:${port}`] }),
  answer: /^hello$/,
})

async function openConnection(options: Parameters<typeof connect>[0]): Promise<LibraryConnection> {
  const nats = await connect(options)
  nats.subscribe('echo.*', { callback: (_error, message) => void message.respond(message.data) })
  const id = clientId(nats)
  const topic = `echo.${id}`
  const serial = await server.nameOf(id)
  const requests = new Set<Promise<unknown>>()
  return {
    async query() {
      const request = nats.request(topic, 'hello')
      requests.add(request)
      await request.finally(() => requests.delete(request))
      return { serial, connection: String(id) }
    },
    async close() {
      // To drain a connection ends the requests that wait for an answer.
      await Promise.all(requests)
      await nats.drain()
    },
  }
}

function clientId({ info }: NatsConnection): number {
  if (!info) throw new Error('not connected')
  return info.client_id
}
