// NATS (@nats-io/transport-node) with a client certificate: node nats.js nats.internal:4222
import { setTimeout } from 'node:timers/promises'

import { connect } from '@nats-io/transport-node'
import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

// After a CA is removed, a new connection replaces the former one. Importers of `connection` see the new one.
export let connection = openConnection()
engine.on('renewed', ({ trust }) => {
  if (trust !== 'reduced') return
  const former = connection
  connection = openConnection()
  // To drain it ends its requests in progress: they have 1 s.
  former.then((nats) => setTimeout(1000).then(() => nats.drain())).catch(console.error)
})

async function openConnection() {
  const nats = await connect({ servers: process.argv[2], tls: engine.clientOptions() })
  nats.subscribe('greet', { queue: 'app', callback: (_error, message) => message.respond('hello') })
  return nats
}

let running = true
process.once('SIGTERM', () => (running = false))
while (running) {
  const answer = await (await connection).request('greet', '', { timeout: 1000 })
  console.log(answer.string())
  await setTimeout(200)
}
await (await connection).drain()
await engine.close()
