// mqtt with a client certificate: node mqtt.js mqtts://mqtt.internal:8883
import { setTimeout } from 'node:timers/promises'

import { createReloadEngine } from 'certswap'
import mqtt from 'mqtt'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the broker
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the broker
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// The object alone, without a URL: then mqtt does not copy it, and each reconnection shows the current certificate.
const { hostname, port } = new URL(process.argv[2])
const broker = { protocol: 'mqtts', host: hostname, port: Number(port || 8883), reconnectPeriod: 500 }
const client = mqtt.connect(Object.assign(engine.clientOptions(), broker))
client.on('error', console.error)

// After a CA is removed, it connects again: it sends what was not acknowledged, and restores its subscriptions.
engine.on('renewed', ({ trust }) => {
  if (trust === 'reduced') client.stream.end()
})

client.on('message', (topic, message) => console.log(topic, message.toString()))
await client.subscribeAsync('app/temperature', { qos: 1 })

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  await client.publishAsync('app/temperature', '21', { qos: 1 })
  await setTimeout(200)
}
await client.endAsync()
await engine.close()
