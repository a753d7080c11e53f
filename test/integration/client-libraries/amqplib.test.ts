/*
 * amqplib, with RabbitMQ. Its command that lists connections takes a second, so the serials are those of the local
 * certificates of the sockets, except in the test in which RabbitMQ reports them.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import amqp, { type ConfirmChannel } from 'amqplib'

import type { LibraryConnection, ServerMaterial } from '../../../support/clients/client-library.js'
import { assertKept, openHandshakes } from '../../../support/clients/handshake-site.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { clientAuthority, issueClient, issueServer } from '../../../support/clients/library-site.js'
import { localCertificate } from '../../../support/clients/local-certificate.js'
import { assertApplied, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import type { Owner } from '../../../support/servers/echo-server.js'
import { type RabbitmqServer, startRabbitmq, withoutRabbitmq } from '../../../support/servers/rabbitmq.js'

const authority = createAuthority()
const library = { name: 'amqplib', without: withoutRabbitmq, startServer: sharedRabbitmq }
let server: RabbitmqServer | undefined
const stops: (() => unknown)[] = []
const file = { after: (stop) => void stops.push(stop as () => unknown) } as Owner
after(async () => {
  for (const stop of stops) await stop()
})

proveLibrary({
  ...library,
  async open(engine, port) {
    const options = engine.clientOptions()
    const connect = () => openChannel(options, port)
    let channel = connect()
    return {
      query: async () => (await channel).query(),
      connect,
      retire() {
        const former = channel
        channel = connect()
        void former.then(({ close }) => close())
      },
      close: async () => (await channel).close(),
    }
  },
})

proveExample({
  ...library,
  start: (port) => ({ args: [`amqps://localhost:${port}`] }),
  answer: /^confirmed$/,
})

test('amqplib: RabbitMQ reports the former certificate for an open connection, the renewed one for the next', {
  skip: withoutRabbitmq,
  timeout: 60_000,
}, async (t) => {
  const rabbitmq = await sharedRabbitmq(t, {
    leaf: issueServer(authority),
    clientCa: clientAuthority.certPem,
  })
  const dir = tempDir(t)
  const [former, renewed] = [issueClient({ serialAsName: true }), issueClient({ serialAsName: true })]
  writeFileSync(join(dir, 'ca.crt'), authority.certPem)
  const engine = await startEngine(t, { ...writePair(dir, former), ca: join(dir, 'ca.crt') })
  const options = engine.clientOptions()
  const open = await openChannel(options, rabbitmq.port)
  writePair(dir, renewed)
  assertApplied(await engine.reload())
  const next = await openChannel(options, rabbitmq.port)
  assert.deepEqual(rabbitmq.subjects().sort(), [`CN=${former.serial}`, `CN=${renewed.serial}`].sort())
  await open.close()
  await next.close()
})

test('amqplib keeps the certificate of its creation with `recovery`, as the documentation says', async (t) => {
  const site = await openHandshakes(t)
  const recovery = { initialDelay: 50, maxDelay: 50, waitForConnect: false }
  const options = Object.assign(site.engine.clientOptions(), { recovery })
  const connection = await amqp.connect(`amqps://localhost:${site.server.port}`, options)
  t.after(() => connection.close())
  await assertKept(site)
})

/** One for all tests of this file, because it takes seconds to start. */
async function sharedRabbitmq(_t: TestContext, material: ServerMaterial): Promise<RabbitmqServer> {
  server ??= await startRabbitmq(file, material)
  await server.renew(material.leaf)
  return server
}

async function openChannel(tls: object, port: number): Promise<LibraryConnection> {
  const connection = await amqp.connect(`amqps://localhost:${port}`, tls)
  const channel = await connection.createConfirmChannel()
  const { stream } = connection.connection as unknown as { readonly stream: TLSSocket }
  return {
    async query() {
      await publish(channel)
      return localCertificate(stream)
    },
    async close() {
      await channel.waitForConfirms()
      await connection.close()
    },
  }
}

/** Resolves once the broker has confirmed a message. */
function publish(channel: ConfirmChannel): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.publish('', 'greetings', Buffer.from('hello'), {}, (error: unknown) => {
      if (error) reject(error as Error)
      else resolve()
    })
  })
}
