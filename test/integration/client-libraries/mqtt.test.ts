/*
 * mqtt, with Mosquitto. The names of the certificates are their serials, and the broker permits a client only the topic of the
 * name that it sees: a message is acknowledged if the broker sees the serial of the socket.
 */

import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import mqtt, { type MqttClient } from 'mqtt'

import type { Seen } from '../../../support/clients/client-library.js'
import { assertKept, openHandshakes } from '../../../support/clients/handshake-site.js'
import { proveExample } from '../../../support/clients/library-example.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { localCertificate } from '../../../support/clients/local-certificate.js'
import { startMosquitto, withoutMosquitto } from '../../../support/servers/mosquitto.js'

const library = { name: 'mqtt', without: withoutMosquitto, startServer: startMosquitto }

proveLibrary({
  ...library,
  serialAsName: true,
  async open(engine, port) {
    // Version 5 reports a message that is not permitted.
    const broker = { protocol: 'mqtts', host: 'localhost', port, protocolVersion: 5 } as const
    const current = Object.getOwnPropertyDescriptors(engine.clientOptions())
    // A client writes into its options, so each has an object of its own, with the same getter.
    const connect = (reconnectPeriod: number) =>
      mqtt.connectAsync(Object.defineProperties({ ...broker, reconnectPeriod }, current))
    const client = await connect(50)
    return {
      query: () => publish(client),
      async connect() {
        const held = await connect(0)
        return { query: () => publish(held), close: () => held.endAsync() }
      },
      retire() {
        client.stream.end()
      },
      close: () => client.endAsync(),
    }
  },
})

proveExample({
  ...library,
  start: (port) => ({ args: [`mqtts://localhost:${port}`] }),
  answer: /^app\/temperature 21$/,
})

test('mqtt keeps the certificate of its creation if the options follow a URL, as the documentation says', async (t) => {
  const site = await openHandshakes(t)
  const options = Object.assign(site.engine.clientOptions(), { reconnectPeriod: 50 })
  const client = mqtt.connect(`mqtts://localhost:${site.server.port}`, options)
  t.after(() => client.endAsync(true))
  await assertKept(site)
})

async function publish(client: MqttClient): Promise<Seen> {
  const { serial } = localCertificate(client.stream as TLSSocket)
  await client.publishAsync(`of/${serial}`, 'hello', { qos: 1 })
  return localCertificate(client.stream as TLSSocket)
}
