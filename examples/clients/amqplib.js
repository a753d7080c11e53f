// amqplib with a client certificate: node amqplib.js amqps://rabbitmq.internal
import { setTimeout } from 'node:timers/promises'

import amqp from 'amqplib'
import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the broker
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the broker
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// After a CA is removed, a new connection replaces the former one. Importers of `channel` see the new one.
export let channel = openChannel()
engine.on('renewed', ({ trust }) => {
  if (trust !== 'reduced') return
  channel.then(closeChannel).catch(console.error)
  channel = openChannel()
})
async function openChannel() {
  const connection = await amqp.connect(process.argv[2], engine.clientOptions())
  return connection.on('error', console.error).createConfirmChannel()
}
async function closeChannel(former) {
  await former.waitForConfirms() // the broker has its messages
  await former.connection.close()
}

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  const current = await channel
  current.sendToQueue('greetings', Buffer.from('hello'), {}, (error) => console.log(error ?? 'confirmed'))
  await setTimeout(200)
}
await closeChannel(await channel)
await engine.close()
